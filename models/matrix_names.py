"""The matrices that a Whisper of given dimensions is made of, by the names of ``whisper.py``."""

from __future__ import annotations

from ..edge.types import ModelDimensions

ENCODER_OPERATIONS = ("qkv", "out", "fc1", "fc2")
DECODER_OPERATIONS = ("qkv", "out", "cross_q", "cross_out", "fc1", "fc2")


def matrix_names(dimensions: ModelDimensions) -> tuple[str, ...]:
    """In the order of computation, the token table last.

    Args:
        dimensions: The model's shape.
    """
    encoder = (
        f"encoder.{layer}.{operation}"
        for layer in range(dimensions.n_audio_layer)
        for operation in ENCODER_OPERATIONS
    )
    decoder = (
        f"decoder.{layer}.{operation}"
        for layer in range(dimensions.n_text_layer)
        for operation in DECODER_OPERATIONS
    )
    convolutions = ("encoder.conv1", "encoder.conv2")
    return (*convolutions, *encoder, "decoder.cross_kv", *decoder, "decoder.embedding")
