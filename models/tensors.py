"""Names and shapes of a Whisper checkpoint's tensors.

The names are Hugging Face's without the leading ``model.``; the shapes follow from the dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from ..edge.errors import CheckpointError
from ..edge.types import ModelDimensions
from .stored_tensor import DTYPES, StoredTensor

EMBEDDING = "decoder.embed_tokens.weight"
Shape = tuple[int, ...]


def tensor_shapes(dimensions: ModelDimensions) -> dict[str, Shape]:
    """Every tensor of a Whisper of these dimensions and its shape.

    Source: openai/whisper ``whisper/model.py``. Keys have no bias, and the output head is the
    transposed token embedding.
    """
    return dict(_tensors(dimensions))


def n_parameters(dimensions: ModelDimensions) -> int:
    """How many numbers the tensors hold, the encoder's fixed positions included."""
    return sum(math.prod(shape) for shape in tensor_shapes(dimensions).values())


def check_tensors(
    source: str, tensors: Mapping[str, StoredTensor], dimensions: ModelDimensions
) -> None:
    """Check that every tensor is there, with the right shape and a type that can be read.

    Raises:
        CheckpointError: For the first one that is not.
    """
    for name, wanted in tensor_shapes(dimensions).items():
        if name not in tensors:
            raise CheckpointError(f"{source}: the tensor {name} is missing")
        found = tensors[name]
        if found.shape != wanted:
            raise CheckpointError(f"{source}: {name} has shape {found.shape}, wanted {wanted}")
        if found.dtype not in DTYPES:
            raise CheckpointError(
                f"{source}: {name} is stored as {found.dtype}, "
                f"which is none of {', '.join(DTYPES)}; save the model in float32 or float16"
            )


def _tensors(dimensions: ModelDimensions) -> Iterator[tuple[str, Shape]]:
    audio, text = dimensions.n_audio_state, dimensions.n_text_state
    yield from _linear("encoder.conv1", audio, dimensions.n_mels, 3)
    yield from _linear("encoder.conv2", audio, audio, 3)
    yield "encoder.embed_positions.weight", (dimensions.n_audio_ctx, audio)
    for layer in range(dimensions.n_audio_layer):
        yield from _block(f"encoder.layers.{layer}", audio, None)
    yield from _norm("encoder.layer_norm", audio)
    yield EMBEDDING, (dimensions.n_vocab, text)
    yield "decoder.embed_positions.weight", (dimensions.n_text_ctx, text)
    for layer in range(dimensions.n_text_layer):
        yield from _block(f"decoder.layers.{layer}", text, audio)
    yield from _norm("decoder.layer_norm", text)


def _block(block: str, n_state: int, n_source: int | None) -> Iterator[tuple[str, Shape]]:
    yield from _attention(f"{block}.self_attn", n_state, n_state)
    if n_source is not None:
        yield from _attention(f"{block}.encoder_attn", n_state, n_source)
    yield from _linear(f"{block}.fc1", 4 * n_state, n_state)
    yield from _linear(f"{block}.fc2", n_state, 4 * n_state)
    yield from _norm(f"{block}.final_layer_norm", n_state)


def _attention(name: str, n_state: int, n_source: int) -> Iterator[tuple[str, Shape]]:
    yield from _linear(f"{name}.q_proj", n_state, n_state)
    yield f"{name}.k_proj.weight", (n_state, n_source)
    yield from _linear(f"{name}.v_proj", n_state, n_source)
    yield from _linear(f"{name}.out_proj", n_state, n_state)
    yield from _norm(f"{name}_layer_norm", n_state)


def _linear(name: str, n_out: int, n_in: int, *kernel: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", (n_out, n_in, *kernel)
    yield f"{name}.bias", (n_out,)


def _norm(name: str, n_state: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", (n_state,)
    yield f"{name}.bias", (n_state,)
