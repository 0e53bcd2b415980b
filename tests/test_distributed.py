import torch

from handssl import distributed


def test_without_a_group_there_is_one_worker() -> None:
    assert not distributed.in_group()
    assert (distributed.rank(), distributed.world_size()) == (0, 1)
    assert torch.equal(distributed.mean(torch.ones(2)), torch.ones(2))
    assert distributed.from_first_worker({"a": 1}, "cpu") == {"a": 1}
    distributed.barrier()
