"""The device of a run, and reduced precision where it gains from it: CUDA only."""

from dataclasses import dataclass

import torch

from handssl.errors import require


def existing_device(device: str | torch.device) -> torch.device:
    """The device, checked to exist.

    Raises:
        ConfigError: If CUDA is asked for and missing.
    """
    device = torch.device(device)
    require(
        device.type != "cuda" or torch.cuda.is_available(),
        f"device must exist on this machine, but got device={device} without CUDA; use device=cpu",
    )
    return device


@dataclass(frozen=True, slots=True, kw_only=True)
class Autocast:
    """The type in which a device multiplies.

    Attributes:
        device: The device.
        dtype: float32, bfloat16 or float16.
    """

    device: torch.device
    dtype: torch.dtype

    @classmethod
    def choose(cls, precision: str, device: torch.device) -> "Autocast":
        """`auto` is float32 on the CPU; on CUDA bfloat16 where supported, else float16.

        Raises:
            ConfigError: If reduced precision is asked for without CUDA.
        """
        require(
            device.type == "cuda" or precision in ("auto", "float32"),
            f"precision must be auto or float32 on device={device}, but got "
            f"precision={precision!r}; reduced precision needs CUDA",
        )
        if device.type != "cuda":
            precision = "float32"
        elif precision == "auto":
            precision = "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
        return cls(device=device, dtype=getattr(torch, precision))

    def __call__(self) -> torch.autocast:
        """Context for a forward pass."""
        reduced = self.dtype != torch.float32
        return torch.autocast(self.device.type, dtype=self.dtype, enabled=reduced)

    def scaler(self) -> torch.amp.GradScaler:
        """Loss scaling, which only float16's short exponent needs."""
        return torch.amp.GradScaler(self.device.type, enabled=self.dtype == torch.float16)
