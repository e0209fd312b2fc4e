"""Scripted checkpoints: the exact shapes of a Whisper, and words that are known beforehand.

Speed does not depend on what the weights are, but two engines are only comparable when they
decode the same tokens. Here all weights are random except the decoder's position table: row ``p``
points along the embedding of the token that shall follow position ``p``. So greedy decoding emits
the script and then stops, whatever the sound, the engine and the rounding.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import Tokenizer

from whisperq_edge.models.vocabulary import (
    END,
    LANGUAGES,
    non_speech_tokens,
    official_tokenizer,
)

N_VOCAB = 51_865
N_MELS = 80
N_AUDIO_CTX = 1500
N_TEXT_CTX = 448
PULL = 2.0  # the script's share of a position, in lengths of the residual stream's noise
SCRIPT = "script.json"

Tensors = dict[str, NDArray[np.float32]]
Ids = Mapping[str, int]


@dataclass(frozen=True)
class Shape:
    """What distinguishes one size of Whisper from another."""

    n_state: int
    n_layer: int
    n_head: int


SHAPES = {"tiny": Shape(384, 4, 6), "base": Shape(512, 6, 8), "small": Shape(768, 12, 12)}


def write_checkpoint(folder: Path, size: str, n_tokens: int) -> None:
    """Write a Hugging Face folder that says ``n_tokens`` words; ``SCRIPT`` names them.

    Args:
        folder: Made where it is missing.
        size: A key of ``SHAPES``.
        n_tokens: Text tokens in a window, each of them a whole word.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer_json = official_tokenizer(N_VOCAB)
    tokenizer = Tokenizer.from_buffer(tokenizer_json)
    ids = tokenizer.get_vocab()
    shape = SHAPES[size]
    script = _script(ids, n_tokens)
    (folder / "tokenizer.json").write_bytes(tokenizer_json)
    _write_json(folder / "tokenizer_config.json", {"tokenizer_class": "WhisperTokenizer"})
    _write_json(folder / "config.json", _config(ids, shape))
    generation = _generation_config(ids, shape, non_speech_tokens(tokenizer))
    _write_json(folder / "generation_config.json", generation)
    _write_json(folder / "preprocessor_config.json", _PREPROCESSOR)
    tensors = _tensors(shape)
    _point_at_script(tensors, ids, script)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    text = tokenizer.decode(script).strip()
    _write_json(folder / SCRIPT, {"tokens": script, "text": text})  # last: marks a whole folder


_PREPROCESSOR = {
    "feature_extractor_type": "WhisperFeatureExtractor",
    "feature_size": N_MELS,
    "sampling_rate": 16_000,
    "hop_length": 160,
    "n_fft": 400,
    "chunk_length": 30,
    "n_samples": 480_000,
    "nb_max_frames": 3000,
    "padding_value": 0.0,
}


def _script(ids: Ids, n_tokens: int) -> list[int]:
    """Distinct words of one token each, so that counting words counts tokens."""
    words = sorted(id_ for token, id_ in ids.items() if re.fullmatch("Ġ[a-z]{3,9}", token))
    return [int(id_) for id_ in np.random.default_rng(0).choice(words[:8000], n_tokens, False)]


def _tensors(shape: Shape) -> Tensors:
    """Random weights that keep the residual stream tame, under Hugging Face's names."""
    rng = np.random.default_rng(0)
    d = shape.n_state
    tensors: Tensors = {}

    def normal(name: str, *dimensions: int, std: float) -> None:
        tensors[name] = (rng.standard_normal(dimensions) * std).astype(np.float32)

    def linear(name: str, n_out: int, n_in: int, *, gain: float = 0.8, bias: bool = True) -> None:
        normal(f"{name}.weight", n_out, n_in, std=gain / math.sqrt(n_in))
        if bias:
            normal(f"{name}.bias", n_out, std=0.02)

    def norm(name: str) -> None:
        normal(f"{name}.weight", d, std=0.05)
        tensors[f"{name}.weight"] += 1
        normal(f"{name}.bias", d, std=0.02)

    for name, n_in in (("conv1", N_MELS), ("conv2", d)):
        normal(f"model.encoder.{name}.weight", d, n_in, 3, std=0.8 / math.sqrt(3 * n_in))
        normal(f"model.encoder.{name}.bias", d, std=0.02)
    tensors["model.encoder.embed_positions.weight"] = _sinusoids(d)
    normal("model.decoder.embed_tokens.weight", N_VOCAB, d, std=1 / math.sqrt(d))
    normal("model.decoder.embed_positions.weight", N_TEXT_CTX, d, std=1 / math.sqrt(d))
    attentions = {"encoder": ("self_attn",), "decoder": ("self_attn", "encoder_attn")}
    for side, names in attentions.items():
        write_gain = 0.8 if side == "encoder" else 0.8 / math.sqrt(3 * shape.n_layer)
        for layer in range(shape.n_layer):
            block = f"model.{side}.layers.{layer}"
            for name in names:
                for kind in "qkv":
                    linear(f"{block}.{name}.{kind}_proj", d, d, bias=kind != "k")
                linear(f"{block}.{name}.out_proj", d, d, gain=write_gain)
                norm(f"{block}.{name}_layer_norm")
            linear(f"{block}.fc1", 4 * d, d)
            linear(f"{block}.fc2", d, 4 * d, gain=write_gain)
            norm(f"{block}.final_layer_norm")
        norm(f"model.{side}.layer_norm")
    return tensors


def _sinusoids(d: int) -> NDArray[np.float32]:
    """The encoder's fixed position table, (N_AUDIO_CTX, d): sines, then cosines."""
    rates = np.exp(-np.log(10_000) * np.arange(d // 2) / (d // 2 - 1))
    angles = np.arange(N_AUDIO_CTX)[:, None] * rates
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)


def _point_at_script(tensors: Tensors, ids: Ids, script: list[int]) -> None:
    """Make every decoder position point at its next token, in the prompt too."""
    prompt = [ids["<|en|>"], ids["<|transcribe|>"], ids["<|notimestamps|>"]]
    following = [*prompt, *script]
    following += [ids[END]] * (N_TEXT_CTX - len(following))
    embedding = tensors["model.decoder.embed_tokens.weight"][following]
    unit = embedding / np.linalg.norm(embedding, axis=1, keepdims=True)
    positions = tensors["model.decoder.embed_positions.weight"]
    positions += PULL * math.sqrt(positions.shape[1]) * unit


def _config(ids: Ids, shape: Shape) -> dict[str, object]:
    sides = {
        f"{side}_{key}": value
        for side in ("encoder", "decoder")
        for key, value in {
            "layers": shape.n_layer,
            "attention_heads": shape.n_head,
            "ffn_dim": 4 * shape.n_state,
        }.items()
    }
    return {
        "architectures": ["WhisperForConditionalGeneration"],
        "model_type": "whisper",
        "is_encoder_decoder": True,
        "activation_function": "gelu",
        "d_model": shape.n_state,
        **sides,
        "num_hidden_layers": shape.n_layer,
        "num_mel_bins": N_MELS,
        "max_source_positions": N_AUDIO_CTX,
        "max_target_positions": N_TEXT_CTX,
        "vocab_size": N_VOCAB,
        "decoder_start_token_id": ids["<|startoftranscript|>"],
        "bos_token_id": ids[END],
        "eos_token_id": ids[END],
        "pad_token_id": ids[END],
        "scale_embedding": False,
        "tie_word_embeddings": True,
        "dtype": "float32",
    }


def _generation_config(ids: Ids, shape: Shape, suppressed: Iterable[int]) -> dict[str, object]:
    languages = [f"<|{code}|>" for code in LANGUAGES if f"<|{code}|>" in ids]
    tasks = ("transcribe", "translate")
    control = (*tasks, "startoflm", "startofprev", "nospeech", "startoftranscript")
    return {
        # The real models' heads are learnt; any others of the same number cost the same.
        "alignment_heads": [[shape.n_layer - 1, head] for head in range(shape.n_head)],
        "begin_suppress_tokens": [ids["Ġ"], ids[END]],
        "suppress_tokens": sorted({*suppressed, *(ids[f"<|{name}|>"] for name in control)}),
        "bos_token_id": ids[END],
        "eos_token_id": ids[END],
        "pad_token_id": ids[END],
        "decoder_start_token_id": ids["<|startoftranscript|>"],
        "no_timestamps_token_id": ids["<|notimestamps|>"],
        "prev_sot_token_id": ids["<|startofprev|>"],
        "is_multilingual": True,
        "lang_to_id": {language: ids[language] for language in languages},
        "task_to_id": {task: ids[f"<|{task}|>"] for task in tasks},
        "max_initial_timestamp_index": 50,
        "max_length": N_TEXT_CTX,
        "return_timestamps": False,
    }


def _write_json(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
