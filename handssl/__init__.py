"""Self-supervised pretraining of encoders for 3D hand pose: data, views, objectives, probes."""

__version__ = "0.1.0"
