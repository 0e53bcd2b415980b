"""Trials: what a worker runs, from a resolved point to a record."""
