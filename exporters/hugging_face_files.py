"""The files that tell Hugging Face's libraries what a model is, from what we know of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from ..edge.types import HOP_LENGTH, SAMPLE_RATE
from ..models.checkpoint import Checkpoint
from ..models.generation import SECONDS_PER_TIMESTAMP
from ..models.vocabulary import END

CHUNK_S = 30
N_FFT = 400
FFN_FACTOR = 4  # of every Whisper
MEDIAN_WIDTH = 7  # of the filter over the attention that times words, as in openai/whisper


def write_hugging_face_files(
    folder: Path, checkpoint: Checkpoint, transformers_js: Mapping[str, Any] | None = None
) -> None:
    """Write the configurations of model, generation, features and tokenizer.

    Args:
        folder: Where they go; the complete ``tokenizer.json`` is there already.
        checkpoint: Whose they are.
        transformers_js: What ``config.json`` says to transformers.js alone.
    """
    tokens = Tokenizer.from_str(checkpoint.tokenizer.decode())
    config = _config(checkpoint, tokens)
    if transformers_js:
        config["transformers.js_config"] = dict(transformers_js)
    for name, content in (
        ("config.json", config),
        ("generation_config.json", _generation(checkpoint, tokens)),
        ("preprocessor_config.json", _features(checkpoint)),
        ("tokenizer_config.json", _tokenizer_config(checkpoint)),
    ):
        text = json.dumps(content, ensure_ascii=False, indent=2)
        (folder / name).write_text(text + "\n", encoding="utf-8")


def _special(tokens: Tokenizer) -> dict[str, int | None]:
    end = tokens.token_to_id(END)
    start = tokens.token_to_id("<|startoftranscript|>")
    return {
        "bos_token_id": end,
        "eos_token_id": end,
        "pad_token_id": end,
        "decoder_start_token_id": start,
    }


def _config(checkpoint: Checkpoint, tokens: Tokenizer) -> dict[str, Any]:
    d = checkpoint.dimensions
    return {
        "_name_or_path": checkpoint.name,
        "architectures": ["WhisperForConditionalGeneration"],
        "model_type": "whisper",
        "activation_function": "gelu",
        "d_model": d.n_audio_state,
        "encoder_layers": d.n_audio_layer,
        "encoder_attention_heads": d.n_audio_head,
        "encoder_ffn_dim": FFN_FACTOR * d.n_audio_state,
        "decoder_layers": d.n_text_layer,
        "decoder_attention_heads": d.n_text_head,
        "decoder_ffn_dim": FFN_FACTOR * d.n_text_state,
        "num_hidden_layers": d.n_audio_layer,
        "num_mel_bins": d.n_mels,
        "max_source_positions": d.n_audio_ctx,
        "max_target_positions": d.n_text_ctx,
        "median_filter_width": MEDIAN_WIDTH,
        "vocab_size": d.n_vocab,
        "is_encoder_decoder": True,
        "scale_embedding": False,
        "use_cache": True,
        **_special(tokens),
    }


def _generation(checkpoint: Checkpoint, tokens: Tokenizer) -> dict[str, Any]:
    settings = checkpoint.generation
    known: dict[str, Any] = {
        **_special(tokens),
        "alignment_heads": [list(pair) for pair in settings.alignment_heads],
        "begin_suppress_tokens": list(settings.begin_suppress_tokens),
        "is_multilingual": settings.is_multilingual,
        "max_initial_timestamp_index": round(
            settings.max_initial_timestamp / SECONDS_PER_TIMESTAMP
        ),
        "max_length": checkpoint.dimensions.n_text_ctx,
        "no_timestamps_token_id": tokens.token_to_id("<|notimestamps|>"),
        "prev_sot_token_id": tokens.token_to_id("<|startofprev|>"),
        "return_timestamps": False,
        "suppress_tokens": list(settings.suppress_tokens),
    }
    if settings.is_multilingual:
        names = [f"<|{code}|>" for code in settings.languages]
        known["lang_to_id"] = {name: tokens.token_to_id(name) for name in names}
        tasks = ("transcribe", "translate")
        known["task_to_id"] = {task: tokens.token_to_id(f"<|{task}|>") for task in tasks}
    return known


def _features(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "feature_extractor_type": "WhisperFeatureExtractor",
        "processor_class": "WhisperProcessor",
        "feature_size": checkpoint.dimensions.n_mels,
        "sampling_rate": SAMPLE_RATE,
        "hop_length": HOP_LENGTH,
        "n_fft": N_FFT,
        "chunk_length": CHUNK_S,
        "n_samples": CHUNK_S * SAMPLE_RATE,
        "nb_max_frames": CHUNK_S * SAMPLE_RATE // HOP_LENGTH,
        "padding_side": "right",
        "padding_value": 0.0,
        "return_attention_mask": False,
    }


def _tokenizer_config(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "tokenizer_class": "WhisperTokenizer",
        "processor_class": "WhisperProcessor",
        "model_max_length": checkpoint.dimensions.n_text_ctx,
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "errors": "replace",
        "added_tokens_decoder": {
            str(token["id"]): {key: token[key] for key in token if key != "id"}
            for token in json.loads(checkpoint.tokenizer)["added_tokens"]
        },
        **dict.fromkeys(("bos_token", "eos_token", "pad_token", "unk_token"), END),
    }
