"""NT-Xent: time and peak memory, plain and chunked, forward and backward.

Each measurement runs in a fresh process, whose peak of resident memory is set back before the call
(Linux); what the process held then is subtracted. The plain form holds some four
2N × 2N float32 matrices and is skipped where those would not fit into half of the free memory.
"""

import subprocess
import sys
import time
from pathlib import Path

import psutil
import torch

from benchmarks.figure import ROOT, Row, row
from handssl.objectives import nt_xent

SIZES = (512, 2048, 8192, 32768)
DIM, CHUNK = 128, 512


def once(n: int, chunk_size: int | None) -> tuple[float, float]:
    """CPU seconds and peak extra gigabytes of one forward and backward of 2 × (n, 128)."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    z_a, z_b = (torch.randn(n, DIM, generator=generator).requires_grad_() for _ in range(2))
    # The first call loads the kernels.
    torch.autograd.backward(nt_xent(z_a[:4], z_b[:4], chunk_size=chunk_size))
    before = _reset_peak_kb()
    start = time.process_time()
    torch.autograd.backward(nt_xent(z_a, z_b, chunk_size=chunk_size))
    seconds = time.process_time() - start
    return seconds, (_peak_kb() - before) / 1024**2


def _reset_peak_kb() -> int:
    """Set the peak back to what is held now, and return that."""
    Path("/proc/self/clear_refs").write_text("5")
    return _peak_kb()


def _peak_kb() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def measure(*, quick: bool = False) -> list[Row]:
    """Seconds and peak extra memory a batch size and form, and chunked over plain."""
    rows = []
    for n in SIZES[:1] if quick else SIZES:
        figures = {}
        for form, chunk in (("plain", 0), ("chunked", CHUNK)):
            needed_gb = 4 * (2 * n) ** 2 * 4 / 2**30
            free_gb = psutil.virtual_memory().available / 2**30
            if form == "plain" and needed_gb > free_gb / 2:
                rows.append(row(f"N = {n:,}, plain", f"skipped: about {needed_gb:.0f} GB"))
                continue
            command = [sys.executable, "-m", "benchmarks.nt_xent", str(n), str(chunk)]
            done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
            seconds, peak_gb = figures[form] = [float(value) for value in done.stdout.split()]
            most = 1.5 if form == "chunked" and n == SIZES[-1] else None
            rows.append(row(f"N = {n:,}, {form}: peak memory", peak_gb, "GB", most=most))
            rows.append(row(f"N = {n:,}, {form}: time", seconds, "CPU-s"))
        if len(figures) == 2:
            ratios = [b / a for a, b in zip(*figures.values(), strict=True)]
            rows.append(
                row(
                    f"N = {n:,}: chunked over plain",
                    f"time × {ratios[0]:.2f}, memory × {ratios[1]:.2f}",
                )
            )
    return rows


if __name__ == "__main__":
    print(*once(int(sys.argv[1]), int(sys.argv[2]) or None))
