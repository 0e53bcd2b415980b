"""The errors of the project: one base, few subclasses.

Messages name the parameter, its value and the way out: ``temperature must be > 0, but got
temperature=-1.0``. A command catches `HandSSLError`, prints its one line and exits with status 2.
"""


class HandSSLError(Exception):
    """Base of all errors of the project."""


class ConfigError(HandSSLError, ValueError):
    """A parameter, or a combination of parameters, that cannot be used."""


class DataError(HandSSLError):
    """A file, folder or label that is missing, broken or of another form."""


class NonFiniteLossError(HandSSLError, ArithmeticError):
    """A loss that became NaN or infinite; carries the step, the last loss and the norms.

    Attributes:
        step: The optimiser step (from 0) at which it was seen.
        last_finite_loss: The loss of the step before, or None at the first.
        parameter_norms: L2 norm of each top-level module's parameters at that moment.
    """

    def __init__(
        self, step: int, last_finite_loss: float | None, parameter_norms: dict[str, float]
    ) -> None:
        self.step = step
        self.last_finite_loss = last_finite_loss
        self.parameter_norms = parameter_norms
        norms = ", ".join(f"{name} {norm:.4g}" for name, norm in parameter_norms.items())
        super().__init__(
            f"the loss is not finite at step={step} (last finite loss: {last_finite_loss}; "
            f"parameter norms: {norms}); lower optimizer.base_lr, or raise temperature"
        )

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.step, self.last_finite_loss, self.parameter_norms)


def require(ok: bool, message: str) -> None:
    """Refuse a configuration unless something holds of it.

    Raises:
        ConfigError: With this message, where `ok` is false.
    """
    if not ok:
        raise ConfigError(message)
