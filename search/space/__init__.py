"""The search space: its points, and how they are sampled or enumerated."""
