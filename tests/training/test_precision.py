import pytest
import torch

from handssl.errors import ConfigError
from handssl.training.config import PRECISIONS
from handssl.training.precision import Autocast

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def test_the_cpu_multiplies_in_float32() -> None:
    for precision in ("auto", "float32"):
        autocast = Autocast.choose(precision, CPU)
        assert autocast.dtype == torch.float32
        with autocast():
            assert not torch.is_autocast_enabled("cpu")
        assert not autocast.scaler().is_enabled()


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_reduced_precision_on_the_cpu_is_refused(precision: str) -> None:
    with pytest.raises(ConfigError, match=f"precision='{precision}'; reduced precision needs"):
        Autocast.choose(precision, CPU)


@pytest.mark.parametrize(("supported", "auto"), [(True, "bfloat16"), (False, "float16")])
def test_every_precision_has_its_type_on_cuda(
    monkeypatch: pytest.MonkeyPatch, supported: bool, auto: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: supported)
    chosen = [Autocast.choose(name, CUDA).dtype for name in PRECISIONS]
    assert chosen == [getattr(torch, auto), torch.float32, torch.bfloat16, torch.float16]
