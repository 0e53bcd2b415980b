"""Where a run's time goes, by part, without making a GPU wait for the clock."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import torch

Mark = float | torch.cuda.Event


class PartTimer:
    """Adds up seconds per named part.

    On the CPU a part is timed by the clock. On CUDA it is timed by events in the stream, read
    once when the totals are asked for, so that timing never synchronises the device in between.

    Args:
        device: Where the timed work runs.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._seconds: dict[str, float] = defaultdict(float)
        self._events: list[tuple[str, torch.cuda.Event, torch.cuda.Event]] = []

    def now(self) -> Mark:
        """A mark to hand to `add`."""
        if self._device.type != "cuda":
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self._device))
        return event

    def add(self, part: str, start: Mark, end: Mark) -> None:
        """Count the time between two marks under a part's name."""
        if isinstance(start, float) and isinstance(end, float):
            self._seconds[part] += end - start
        elif not isinstance(start, float) and not isinstance(end, float):
            self._events.append((part, start, end))

    @contextmanager
    def __call__(self, part: str, *, on_host: bool = False) -> Iterator[None]:
        """Count the body under a part's name; `on_host` uses the clock on any device."""
        start = time.perf_counter() if on_host else self.now()
        yield
        self.add(part, start, time.perf_counter() if on_host else self.now())

    def totals_s(self) -> dict[str, float]:
        """Seconds per part since the last call, which starts the count anew."""
        if self._events:
            torch.cuda.synchronize(self._device)
            for part, start, end in self._events:
                self._seconds[part] += start.elapsed_time(end) / 1000
        totals = dict(self._seconds)
        self._seconds.clear()
        self._events.clear()
        return totals
