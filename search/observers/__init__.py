"""What follows a running study: display, Optuna, TensorBoard, Prometheus."""
