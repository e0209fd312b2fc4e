"""Checkpoints of true Whisper dimensions with random weights, for tests and for sizes and times.

Random weights transcribe nothing, but they have the shapes, the memory and the speed of real ones,
and heavy tails, which is what makes quantization hard.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ..edge.errors import MissingDependencyError
from ..edge.types import FloatArray, ModelDimensions
from .tensors import tensor_shapes
from .vocabulary import LANGUAGES, official_tokenizer

TINY = ModelDimensions(80, 1500, 384, 6, 4, 51865, 448, 384, 6, 4)
"""openai/whisper-tiny."""

MINIATURE = ModelDimensions(80, 1500, 64, 2, 2, 51865, 448, 64, 2, 2)
"""The smallest that still has every part: two layers, two heads, the whole vocabulary."""


def write_random_checkpoint(
    folder: Path,
    dimensions: ModelDimensions,
    *,
    seed: int = 0,
    alignment_heads: Sequence[tuple[int, int]] | None = None,
    dtype: type[np.floating] = np.float32,
) -> Path:
    """Write a Hugging Face folder that transformers can load too.

    Args:
        folder: Made if it is not there.
        dimensions: ``n_vocab`` must be that of an official model: 51864, 51865 or 51866.
        seed: Of the weights.
        alignment_heads: ``(layer, head)``; all heads of the last layer unless given.
        dtype: How the weights are stored.

    Returns:
        The folder.

    Raises:
        MissingDependencyError: safetensors is not installed.
    """
    try:
        from safetensors.numpy import save_file
    except ModuleNotFoundError:
        raise MissingDependencyError("safetensors", "verify", "writing a checkpoint") from None

    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        f"model.{name}": np.ascontiguousarray(value, dtype)
        for name, value in random_weights(dimensions, seed)
    }
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    heads = alignment_heads or [
        (dimensions.n_text_layer - 1, head) for head in range(dimensions.n_text_head)
    ]
    generation = _generation(dimensions, heads)
    _write_json(folder / "config.json", _config(dimensions))
    _write_json(folder / "generation_config.json", generation)
    (folder / "tokenizer.json").write_bytes(official_tokenizer(dimensions.n_vocab))
    return folder


def random_weights(dimensions: ModelDimensions, seed: int) -> Iterator[tuple[str, FloatArray]]:
    """Every tensor by its Hugging Face name without ``model.``."""
    rng = np.random.default_rng(seed)

    def normal(spread: float, shape: tuple[int, ...]) -> FloatArray:
        return rng.standard_normal(shape, np.float32) * np.float32(spread)

    for name, shape in tensor_shapes(dimensions).items():
        if name == "encoder.embed_positions.weight":
            yield name, sinusoids(*shape)
        elif "embed" in name:
            yield name, normal(0.05, shape)
        elif name.endswith("norm.weight"):
            yield name, np.abs(1 + normal(0.25, shape))
        elif name.endswith("norm.bias"):
            yield name, normal(0.1, shape)
        elif name.endswith("bias"):
            yield name, normal(0.02, shape)
        else:
            values = normal(0.6 / math.prod(shape[1:]) ** 0.5, shape)
            # One weight in a thousand is several times as large: the tails of trained weights.
            outliers = rng.integers(0, values.size, values.size // 1000)
            values.reshape(-1)[outliers] *= 5
            yield name, values


def sinusoids(length: int, n_state: int) -> FloatArray:
    """The encoder's position table; (length, n_state). Source: Whisper, ``model.py``."""
    step = np.log(10_000) / (n_state // 2 - 1)
    angles = np.arange(length)[:, None] * np.exp(-step * np.arange(n_state // 2))
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)


def _special(dimensions: ModelDimensions) -> dict[str, int]:
    tokens = json.loads(official_tokenizer(dimensions.n_vocab))["added_tokens"]
    return {token["content"]: token["id"] for token in tokens}


def _config(dimensions: ModelDimensions) -> dict[str, object]:
    special = _special(dimensions)
    end = special["<|endoftext|>"]
    return {
        "architectures": ["WhisperForConditionalGeneration"],
        "model_type": "whisper",
        "activation_function": "gelu",
        "d_model": dimensions.n_audio_state,
        "encoder_layers": dimensions.n_audio_layer,
        "encoder_attention_heads": dimensions.n_audio_head,
        "encoder_ffn_dim": 4 * dimensions.n_audio_state,
        "decoder_layers": dimensions.n_text_layer,
        "decoder_attention_heads": dimensions.n_text_head,
        "decoder_ffn_dim": 4 * dimensions.n_text_state,
        "num_mel_bins": dimensions.n_mels,
        "max_source_positions": dimensions.n_audio_ctx,
        "max_target_positions": dimensions.n_text_ctx,
        "vocab_size": dimensions.n_vocab,
        "decoder_start_token_id": special["<|startoftranscript|>"],
        **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), end),
        "is_encoder_decoder": True,
        "scale_embedding": False,
        "tie_word_embeddings": True,
    }


def _generation(
    dimensions: ModelDimensions, alignment_heads: Sequence[tuple[int, int]]
) -> dict[str, object]:
    special = _special(dimensions)
    end = special["<|endoftext|>"]
    generation: dict[str, object] = {
        "alignment_heads": [list(pair) for pair in alignment_heads],
        "begin_suppress_tokens": [220, end],
        "decoder_start_token_id": special["<|startoftranscript|>"],
        **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), end),
        "is_multilingual": dimensions.n_vocab > 51864,
        "max_initial_timestamp_index": 50,
        "max_length": dimensions.n_text_ctx,
        "no_timestamps_token_id": special["<|notimestamps|>"],
        "prev_sot_token_id": special["<|startofprev|>"],
        "suppress_tokens": [1, 2, 7, special["<|startofprev|>"], special["<|nospeech|>"]],
    }
    if generation["is_multilingual"]:
        names = (f"<|{code}|>" for code in LANGUAGES)
        generation["lang_to_id"] = {name: special[name] for name in names if name in special}
        tasks = ("transcribe", "translate")
        generation["task_to_id"] = {task: special[f"<|{task}|>"] for task in tasks}
    return generation


def _write_json(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")
