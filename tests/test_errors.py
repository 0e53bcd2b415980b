import pickle

import pytest

from handssl.errors import ConfigError, DataError, HandSSLError, NonFiniteLossError


@pytest.mark.parametrize("kind", [ConfigError, DataError, NonFiniteLossError])
def test_every_error_has_the_projects_base(kind: type[Exception]) -> None:
    assert issubclass(kind, HandSSLError)


def test_a_config_error_is_a_value_error() -> None:
    assert issubclass(ConfigError, ValueError)


def test_a_non_finite_loss_survives_the_way_between_processes() -> None:
    error = NonFiniteLossError(7, 1.5, {"encoder.conv1": 2.0})
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.step, copy.last_finite_loss) == (7, 1.5)
    assert copy.parameter_norms == {"encoder.conv1": 2.0}
    assert str(copy) == str(error)
    assert "step=7" in str(error)
    assert "encoder.conv1 2" in str(error)
