"""Synthetic hands: a free skinned hand, posed and rendered on the CPU, with exact labels."""

from handssl.synthetic.write_freihand import generate_freihand
from handssl.synthetic.write_interhand import generate_interhand

__all__ = ["generate_freihand", "generate_interhand"]
