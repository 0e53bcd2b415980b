"""One worker of a run, started by the tests as a process of its own.

    python worker.py RANK COUNT RENDEZVOUS STORE CONFIG OUT [EPOCHS [RESUME]]

Writes the run's losses, terms and final weights to OUT; with EPOCHS, only so many are trained now,
from the checkpoint RESUME if there is one.
"""

import json
import sys
from pathlib import Path

import torch
import torch.distributed as dist

from handssl.data import open_store
from handssl.encoders import EncoderConfig
from handssl.objectives import objective_config
from handssl.training import OptimizerConfig, PretrainConfig, Pretraining


def joint_gradients(run: Pretraining) -> dict[str, torch.Tensor]:
    """Mean over workers of the first batch's gradients, in float64: rounding flips no ReLU."""
    run.model.double()
    torch.autograd.backward(run.first_batch_loss())
    gradients = {}
    for name, parameter in run.model.named_parameters():
        assert parameter.grad is not None
        gradients[name] = parameter.grad.clone()
        dist.all_reduce(gradients[name])
        gradients[name] /= dist.get_world_size()
    return gradients


def train_part(
    config: PretrainConfig, store: Path, out: Path, epochs: int, resume: Path | None = None
) -> None:
    checkpoint = Path(f"{out}.ckpt")
    run = Pretraining(config, open_store(store), seed=4, checkpoint=checkpoint, resume=resume)
    for _ in range(epochs):
        next(run)
    losses = [loss for report in run.history for loss in report.losses]
    torch.save({"losses": losses}, f"{out}.{dist.get_rank()}")


def main() -> None:
    rank, count, rendezvous, store, settings, out, *part = sys.argv[1:]
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{rendezvous}", rank=int(rank), world_size=int(count)
    )
    plain = json.loads(settings)
    config = PretrainConfig(
        **{
            **plain,
            "encoder": EncoderConfig(**plain["encoder"]),
            "objective": objective_config(**plain["objective"]),
            "optimizer": OptimizerConfig(**plain["optimizer"]),
        }
    )
    if part:
        train_part(config, Path(store), Path(out), int(part[0]), *map(Path, part[1:]))
        dist.destroy_process_group()
        return
    gradients = joint_gradients(Pretraining(config, open_store(store), seed=4))
    run = Pretraining(config, open_store(store), seed=4, checkpoint=Path(f"{out}.ckpt"))
    list(run)
    torch.save(
        {
            "losses": [loss for report in run.history for loss in report.losses],
            "terms": [report.terms for report in run.history],
            "gradients": gradients,
            "encoder": run.encoder.state_dict(),
        },
        f"{out}.{rank}",
    )
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
