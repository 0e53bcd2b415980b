"""GPU: images a second of a training step, and their share of the device's peak.

ResNet-18, contrastive, T+S+Ro+CJ, 128 px, batch 512, in the precision that `auto` chooses. After
three epochs to warm up, the fastest of three counts, by the clock once the device has finished;
the parts of its time are taken with CUDA events in the stream. The peak is what a large matrix
product reaches in the same precision on the same device.
"""

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.figure import Row, row
from benchmarks.hands import embedded
from benchmarks.step import config_of
from handssl.encoders import EncoderConfig, build_encoder
from handssl.training import Pretraining
from handssl.training.precision import Autocast


def measure(*, quick: bool = False) -> list[Row]:
    """Images a second and share of peak; one line with the reason where there is no GPU."""
    if not torch.cuda.is_available():
        return [row("training step on a GPU", "skipped: no CUDA device on this machine")]
    device = torch.device("cuda")
    store = embedded(quick=quick).split("train")
    size_px, batch_size = 128, 64 if quick else min(512, len(store))
    config = config_of(size_px=size_px, batch_size=batch_size, epochs=6)
    reports = list(Pretraining(config, store, seed=0, device=device))[3:]
    fastest = max(reports, key=lambda report: report.images_per_s)
    images_per_s = fastest.images_per_s
    encoder = build_encoder(EncoderConfig(name="resnet18")).to(device)
    views = torch.rand(2, 3, size_px, size_px, device=device)
    with FlopCounterMode(display=False) as counter:
        encoder(views).sum().backward()
    flops_per_image = counter.get_total_flops()  # of two views, which is one image
    peak = _matmul_flops(Autocast.choose("auto", device).dtype, device)
    return [
        row(f"training step, {size_px} px, batch {batch_size}", images_per_s, "images/s"),
        row("encoder's share of it", fastest.timings_s["encoder"] / fastest.timings_s["total"]),
        row("share of a matrix product's rate", images_per_s * flops_per_image / peak),
    ]


def _matmul_flops(dtype: torch.dtype, device: torch.device, side: int = 8192) -> float:
    """Floating-point operations a second of a square matrix product, by CUDA events."""
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    for _ in range(5):
        a @ b
    start.record()
    for _ in range(20):
        a @ b
    end.record()
    torch.cuda.synchronize(device)
    milliseconds: float = start.elapsed_time(end)
    return 20 * 2 * side**3 / (milliseconds / 1000)
