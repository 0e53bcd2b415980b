import time

import torch

from handssl.training.timing import PartTimer


def test_parts_add_up_until_they_are_read() -> None:
    timer = PartTimer(torch.device("cpu"))
    for _ in range(2):
        with timer("sleep"):
            time.sleep(0.02)
    start = timer.now()
    timer.add("instant", start, start)
    totals = timer.totals_s()
    assert 0.04 <= totals["sleep"] < 1
    assert totals["instant"] == 0
    assert timer.totals_s() == {}
