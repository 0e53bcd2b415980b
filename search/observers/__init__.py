"""Observers of a running study: display, Optuna, TensorBoard, Prometheus."""
