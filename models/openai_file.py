"""Checkpoints in OpenAI's own format: one ``.pt`` file with the dimensions and the tensors."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ..edge.errors import CheckpointError
from ..edge.types import ModelDimensions
from .checkpoint_parts import CheckpointParts
from .generation import PublishedGeneration
from .registry import entry_of_digest
from .stored_tensor import StoredTensor, StoredWeights
from .tensors import tensor_shapes
from .torch_file import read_torch_file
from .vocabulary import official_tokenizer

_OFFICIAL_LICENCE = "mit"  # of the weights that OpenAI publishes itself

# Hugging Face's words and OpenAI's, applied in this order.
_RENAMED = (
    ("layers.", "blocks."),
    ("self_attn_layer_norm", "attn_ln"),
    ("encoder_attn_layer_norm", "cross_attn_ln"),
    ("final_layer_norm", "mlp_ln"),
    ("encoder.layer_norm", "encoder.ln_post"),
    ("decoder.layer_norm", "decoder.ln"),
    ("self_attn", "attn"),
    ("encoder_attn", "cross_attn"),
    ("q_proj", "query"),
    ("k_proj", "key"),
    ("v_proj", "value"),
    ("out_proj", "out"),
    ("fc1", "mlp.0"),
    ("fc2", "mlp.2"),
    ("embed_tokens", "token_embedding"),
    ("embed_positions.weight", "positional_embedding"),
)


def openai_name(name: str) -> str:
    """OpenAI's name of the tensor that Hugging Face calls ``name`` (without ``model.``)."""
    for theirs, openai in _RENAMED:
        name = name.replace(theirs, openai)
    return name


def read_openai_file(path: Path) -> CheckpointParts:
    """Read a ``.pt`` file; its tokenizer is the official one for its number of tokens.

    Raises:
        CheckpointError: The file is corrupt, or is not a Whisper in this format.
    """
    match read_torch_file(path):
        case {"dims": dict(dims), "model_state_dict": dict(state)}:
            pass
        case _:
            raise CheckpointError(
                f"{path} is not an OpenAI Whisper: it needs dims and model_state_dict"
            )
    try:
        dimensions = msgspec.convert(dims, ModelDimensions)
    except msgspec.ValidationError as error:
        raise CheckpointError(f"{path}: dims: {error}") from error
    tensors: dict[str, StoredTensor] = {}
    for name in tensor_shapes(dimensions):
        tensor = state.get(openai_name(name))
        if isinstance(tensor, StoredTensor):
            tensors[name] = tensor
    weights = StoredWeights((path,), tensors)
    official = entry_of_digest(weights.digest())
    return CheckpointParts(
        dimensions,
        weights,
        official_tokenizer(dimensions.n_vocab),
        PublishedGeneration(alignment_heads=official.alignment_heads if official else None),
        _OFFICIAL_LICENCE if official else None,
    )
