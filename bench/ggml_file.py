"""whisper.cpp's own file, written from a checkpoint with q8_0 weights.

Little-endian: the magic number, the dimensions, the mel filters, the text tokens, then every tensor
with its name. Matrices are rows of blocks: 32 signed bytes after one half, their scale.

Source: ggml-org/whisper.cpp, ``models/convert-h5-to-ggml.py`` and ggml's ``block_q8_0``.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
from tokenizers import Tokenizer

from whisperq_edge.edge.audio.mel import mel_filters
from whisperq_edge.edge.types import FloatArray
from whisperq_edge.models.checkpoint import Checkpoint
from whisperq_edge.models.tensors import tensor_shapes
from whisperq_edge.models.vocabulary import END

MAGIC = 0x67676D6C
Q8_0_FILE = 2007  # version 2 of the quantized formats, file type 7
F32, F16, Q8_0 = 0, 1, 8  # types of a tensor
BLOCK = 32

# Hugging Face's names on the left, OpenAI's on the right.
RENAMED = (
    (r"embed_tokens", "token_embedding"),
    (r"embed_positions\.weight", "positional_embedding"),
    (r"^encoder\.layer_norm", "encoder.ln_post"),
    (r"^decoder\.layer_norm", "decoder.ln"),
    (r"layers", "blocks"),
    (r"self_attn", "attn"),
    (r"encoder_attn", "cross_attn"),
    (r"attn_layer_norm", "attn_ln"),
    (r"final_layer_norm", "mlp_ln"),
    (r"q_proj", "query"),
    (r"k_proj", "key"),
    (r"v_proj", "value"),
    (r"out_proj", "out"),
    (r"fc1", "mlp.0"),
    (r"fc2", "mlp.2"),
)


def write_ggml(checkpoint: Checkpoint, path: Path) -> None:
    """Write one file that whisper.cpp loads."""
    d = checkpoint.dimensions
    with path.open("wb") as file:
        file.write(struct.pack("<i", MAGIC))
        audio = (d.n_audio_ctx, d.n_audio_state, d.n_audio_head, d.n_audio_layer)
        text = (d.n_text_ctx, d.n_text_state, d.n_text_head, d.n_text_layer)
        file.write(struct.pack("<11i", d.n_vocab, *audio, *text, d.n_mels, Q8_0_FILE))
        filters = mel_filters(d.n_mels)
        file.write(struct.pack("<2i", *filters.shape) + filters.astype("<f4").tobytes())
        _write_tokens(file, checkpoint)
        for name in tensor_shapes(d):
            _write_tensor(file, name, checkpoint.tensor(name))


def _write_tokens(file: BinaryIO, checkpoint: Checkpoint) -> None:
    """The text tokens; pieces of a character come out wrong, and no script has any."""
    tokenizer = Tokenizer.from_buffer(checkpoint.tokenizer)
    n_text = tokenizer.token_to_id(END)
    file.write(struct.pack("<i", n_text))
    for token in range(n_text):
        spelt = tokenizer.decode([token]).encode()
        file.write(struct.pack("<i", len(spelt)) + spelt)


def _write_tensor(file: BinaryIO, name: str, values: FloatArray) -> None:
    for ours, theirs in RENAMED:
        name = re.sub(ours, theirs, name)
    if re.search(r"conv\d\.bias", name):
        values = values[:, None]
    if values.ndim == 3:
        kind, content = F16, values.astype("<f2").tobytes()
    elif values.ndim == 2 and name.endswith("weight"):
        kind, content = Q8_0, _blocks(values)
    else:
        kind, content = F32, values.astype("<f4").tobytes()
    spelt = name.encode()
    file.write(struct.pack("<3i", values.ndim, len(spelt), kind))
    file.write(struct.pack(f"<{values.ndim}i", *reversed(values.shape)) + spelt + content)


def _blocks(weight: FloatArray) -> bytes:
    blocks = weight.reshape(-1, BLOCK)
    scales = np.abs(blocks).max(1) / 127
    stored = np.empty(len(blocks), [("scale", "<f2"), ("values", "i1", BLOCK)])
    stored["scale"] = scales
    stored["values"] = np.rint(blocks / np.where(scales > 0, scales, 1)[:, None])
    return stored.tobytes()
