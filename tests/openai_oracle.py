"""openai/whisper with the bundled model's weights and our features: what others are held to."""

from __future__ import annotations

import re
import sys

import msgspec
import numpy as np
import torch
import whisper

from whisperq_edge.edge.audio.mel import log_mel

N_SAMPLES = 480_000  # of a window
EOT = 50257
# Openai's code suppresses these two first, whatever the checkpoint says.
SUPPRESSED_FIRST = (220, EOT)

# Hugging Face's names in openai's words.
RENAMED = (
    (r"\.layers\.", ".blocks."),
    (r"encoder_attn_layer_norm", "cross_attn_ln"),
    (r"self_attn_layer_norm", "attn_ln"),
    (r"encoder_attn\.", "cross_attn."),
    (r"self_attn\.", "attn."),
    (r"final_layer_norm", "mlp_ln"),
    (r"q_proj", "query"),
    (r"k_proj", "key"),
    (r"v_proj", "value"),
    (r"out_proj", "out"),
    (r"fc1", "mlp.0"),
    (r"fc2", "mlp.2"),
    (r"embed_tokens", "token_embedding"),
    (r"embed_positions\.weight", "positional_embedding"),
    (r"encoder\.layer_norm", "encoder.ln_post"),
    (r"decoder\.layer_norm", "decoder.ln"),
)


def openai_model(checkpoint):
    """Openai's model of a checkpoint; weights as they are stored, alignment heads included."""
    dimensions = whisper.model.ModelDimensions(**msgspec.structs.asdict(checkpoint.dimensions))
    model = whisper.model.Whisper(dimensions)
    weights = {}
    for name in checkpoint.weights.tensors:
        new = name
        for pattern, word in RENAMED:
            new = re.sub(pattern, word, new)
        weights[new] = torch.from_numpy(checkpoint.tensor(name).copy())
    model.load_state_dict(weights)
    heads = torch.zeros(dimensions.n_text_layer, dimensions.n_text_head, dtype=torch.bool)
    for layer, head in checkpoint.generation.alignment_heads:
        heads[layer, head] = True
    model.register_buffer("alignment_heads", heads.to_sparse(), persistent=False)
    return model.eval()


def give_features(monkeypatch, n_mels, samples):
    """Let openai's loop cut the recording as it does, and take our features for each window."""
    module = sys.modules["whisper.transcribe"]  # its package hides it behind the function
    n_frames = len(samples) // 160

    def frame_numbers(_samples, _n_mels, padding):
        return torch.arange(n_frames + padding // 160)[None].float()

    def features(numbers, n_frames):
        start = int(numbers[0, 0])
        stop = min(start + numbers.shape[1], start + n_frames)
        window = samples[start * 160 : stop * 160]
        return torch.from_numpy(np.ascontiguousarray(log_mel(window, n_mels, n_frames)))

    monkeypatch.setattr(module, "log_mel_spectrogram", frame_numbers)
    monkeypatch.setattr(module, "pad_or_trim", features)
