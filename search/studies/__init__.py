"""Studies: lists of stages, their checks, plans and descriptions."""
