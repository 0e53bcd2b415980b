"""Reduced precision where the hardware gains from it: CUDA only."""

import contextlib
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

from handssl.errors import ConfigError


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
        if device.type != "cuda":
            if precision not in ("auto", "float32"):
                raise ConfigError(
                    f"precision must be auto or float32 on device={device}, but got "
                    f"precision={precision!r}; reduced precision needs CUDA"
                )
            return cls(device=device, dtype=torch.float32)
        if precision == "auto":
            precision = "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
        return cls(device=device, dtype=getattr(torch, precision))

    def __call__(self) -> AbstractContextManager[object]:
        """Context for a forward pass."""
        if self.dtype == torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    def scaler(self) -> torch.amp.GradScaler:
        """Loss scaling, which only float16's short exponent needs."""
        return torch.amp.GradScaler(self.device.type, enabled=self.dtype == torch.float16)
