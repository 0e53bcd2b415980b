"""Encoders: an image of a hand in, one feature vector out."""

from handssl.encoders.encoder import ENCODERS, Encoder, EncoderConfig, MapEncoder, build_encoder
from handssl.encoders.export import export_encoder

__all__ = ["ENCODERS", "Encoder", "EncoderConfig", "MapEncoder", "build_encoder", "export_encoder"]
