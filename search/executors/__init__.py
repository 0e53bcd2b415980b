"""How a trial runs on Ray: in one reused actor, or in several workers under Ray Train."""

from search.executors.actor import actor_trainable
from search.executors.train import train_trainable

__all__ = ["actor_trainable", "train_trainable"]
