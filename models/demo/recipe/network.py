"""The network to be trained: a small Whisper over compact classes, for windows of any length.

Modules carry the names of Hugging Face's checkpoints, so that the weights can be copied by name.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

N_MELS = 80
N_POSITIONS = 1500  # of the encoder: 30 s
N_TEXT_POSITIONS = 448
ALIGNMENT_HEADS = {0: 0, 1: 1}  # decoder layer: head taught to look at the next token's sound


@dataclass(frozen=True)
class Sizes:
    """The shape of the network; the defaults are those of the bundled model."""

    n_state: int = 128
    n_heads: int = 2
    n_encoder_layers: int = 4
    n_decoder_layers: int = 2


class Attention(nn.Module):
    """Multi-head attention; keys have no bias."""

    def __init__(self, n_state: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.q_proj = nn.Linear(n_state, n_state)
        self.k_proj = nn.Linear(n_state, n_state, bias=False)
        self.v_proj = nn.Linear(n_state, n_state)
        self.out_proj = nn.Linear(n_state, n_state)

    def forward(self, x: Tensor, source: Tensor, *, causal: bool = False) -> Tensor:
        """Attend from ``x`` to ``source``, both (n_batch, n_time, n_state)."""
        q, k, v = (
            part.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            for part in (self.q_proj(x), self.k_proj(source), self.v_proj(source))
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        out: Tensor = self.out_proj(y.transpose(1, 2).flatten(2))
        return out

    def log_weights(self, x: Tensor, source: Tensor, head: int) -> Tensor:
        """Logarithm of one head's attention; (n_batch, n_time of ``x``, n_time of ``source``)."""
        q = self.q_proj(x).unflatten(-1, (self.n_heads, -1))[..., head, :]
        k = self.k_proj(source).unflatten(-1, (self.n_heads, -1))[..., head, :]
        return F.log_softmax(q @ k.transpose(1, 2) * q.shape[-1] ** -0.5, dim=-1)


class Layer(nn.Module):
    """Self-attention, cross-attention in the decoder, and the two linear layers."""

    def __init__(self, sizes: Sizes, *, decoder: bool) -> None:
        super().__init__()
        self.self_attn = Attention(sizes.n_state, sizes.n_heads)
        self.self_attn_layer_norm = nn.LayerNorm(sizes.n_state)
        if decoder:
            self.encoder_attn = Attention(sizes.n_state, sizes.n_heads)
            self.encoder_attn_layer_norm = nn.LayerNorm(sizes.n_state)
        self.fc1 = nn.Linear(sizes.n_state, 4 * sizes.n_state)
        self.fc2 = nn.Linear(4 * sizes.n_state, sizes.n_state)
        self.final_layer_norm = nn.LayerNorm(sizes.n_state)

    def attend(self, x: Tensor, *, causal: bool) -> Tensor:
        """Self-attention with its residual."""
        y = self.self_attn_layer_norm(x)
        out: Tensor = x + self.self_attn(y, y, causal=causal)
        return out

    def widen(self, x: Tensor) -> Tensor:
        """The two linear layers with their residual."""
        out: Tensor = x + self.fc2(F.gelu(self.fc1(self.final_layer_norm(x))))
        return out


class Encoder(nn.Module):
    """Log-mel frames to states, two frames each."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(N_MELS, sizes.n_state, 3, padding=1)
        self.conv2 = nn.Conv1d(sizes.n_state, sizes.n_state, 3, stride=2, padding=1)
        self.embed_positions = nn.Embedding(N_POSITIONS, sizes.n_state)
        self.layers = nn.ModuleList(
            Layer(sizes, decoder=False) for _ in range(sizes.n_encoder_layers)
        )
        self.layer_norm = nn.LayerNorm(sizes.n_state)

    def forward(self, mel: Tensor) -> Tensor:
        """(n_batch, n_mels, n_frames) to (n_batch, n_frames / 2, n_state)."""
        x = F.gelu(self.conv2(F.gelu(self.conv1(mel)))).transpose(1, 2)
        x = x + self.embed_positions.weight[: x.shape[1]]
        for layer in self.layers:
            x = layer.widen(layer.attend(x, causal=False))
        out: Tensor = self.layer_norm(x)
        return out


class Decoder(nn.Module):
    """Classes so far to logits of the next one; the output layer is the embedding."""

    unused_bias: Tensor

    def __init__(self, sizes: Sizes, n_classes: int, unused_bias: float) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(n_classes, sizes.n_state)
        self.embed_positions = nn.Embedding(N_TEXT_POSITIONS, sizes.n_state)
        self.layers = nn.ModuleList(
            Layer(sizes, decoder=True) for _ in range(sizes.n_decoder_layers)
        )
        self.layer_norm = nn.LayerNorm(sizes.n_state)
        bias = torch.zeros(n_classes)
        bias[-1] = unused_bias
        self.register_buffer("unused_bias", bias, persistent=False)

    def forward(self, classes: Tensor, encoded: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Predict the class after each.

        Args:
            classes: (n_batch, n_tokens).
            encoded: The encoder's states, (n_batch, n_positions, n_state).

        Returns:
            Logits (n_batch, n_tokens, n_classes), and the logarithm of the attention of each
            alignment head, (n_batch, n_tokens, n_positions).
        """
        x = self.embed_tokens(classes) + self.embed_positions.weight[: classes.shape[1]]
        attentions = []
        for index, layer in enumerate(self.layers):
            x = layer.attend(x, causal=True)
            query = layer.encoder_attn_layer_norm(x)
            if index in ALIGNMENT_HEADS:
                head = ALIGNMENT_HEADS[index]
                attentions.append(layer.encoder_attn.log_weights(query, encoded, head))
            x = layer.widen(x + layer.encoder_attn(query, encoded))
        logits = F.linear(self.layer_norm(x), self.embed_tokens.weight, self.unused_bias)
        return logits, attentions


class Whisper(nn.Module):
    """Encoder and decoder, freshly initialized."""

    def __init__(self, sizes: Sizes, n_classes: int, unused_bias: float) -> None:
        super().__init__()
        self.encoder = Encoder(sizes)
        self.decoder = Decoder(sizes, n_classes, unused_bias)
        self.apply(_initialize)
        nn.init.normal_(self.decoder.embed_tokens.weight, std=sizes.n_state**-0.5)
        nn.init.normal_(self.decoder.embed_positions.weight, std=0.05)
        self.encoder.embed_positions.weight.data = sinusoids(N_POSITIONS, sizes.n_state)
        self.encoder.embed_positions.weight.requires_grad_(False)


def _initialize(module: nn.Module) -> None:
    if isinstance(module, nn.Conv1d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
    if isinstance(module, (nn.Conv1d, nn.Linear)) and module.bias is not None:
        nn.init.zeros_(module.bias)


def sinusoids(n_positions: int, n_state: int) -> Tensor:
    """The encoder's fixed position table, (n_positions, n_state).

    Source: Vaswani et al. 2017 (arXiv 1706.03762), section 3.5, sines and cosines side by side.
    """
    half = n_state // 2
    rates = torch.exp(-torch.arange(half) * (torch.log(torch.tensor(10_000.0)) / (half - 1)))
    angles = torch.arange(n_positions)[:, None] * rates[None]
    return torch.cat([angles.sin(), angles.cos()], dim=1)
