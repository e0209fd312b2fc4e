"""Train the demo model further, or from nothing, on one CPU thread.

    python train.py --data data --synthetic synthetic --start .. --out trained --minutes 60

The loss is cross-entropy on Whisper's token format, plus connectionist temporal classification of
phones on the encoder's states, whose output layer is thrown away at the end, plus the attention
of two heads that misses the sound of the token to be predicted. What is saved is a running average
of the weights.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import checkpoint
from batches import BATCH_S, Batch, Batches, stream
from classes import Classes, classes_of_texts
from clips import read_clips
from features import log_mel, mask, pad_features
from network import Whisper, sinusoids
from pronunciation import BLANK, n_phones
from tokenizer import TIMESTAMP_S

BETAS = (0.9, 0.98)
WEIGHT_DECAY = 0.02  # of matrices
LARGEST_GRADIENT = 1.0
WARMUP_STEPS = 100
AVERAGE = 0.999  # share of the running average that each step keeps
MASKED = 0.5  # share of the windows with SpecAugment
SMOOTHING = 0.03  # of the text tokens' targets
# A time stamp's neighbours, 20 ms apart, are nearly as right as itself.
NEIGHBOURS = {0: 0.34, -1: 0.18, 1: 0.18, -2: 0.10, 2: 0.10, -3: 0.05, 3: 0.05}
ATTENTION_WEIGHT = 0.5
TIMESTAMP_SCALE = 0.25  # of the sinusoids that fresh time stamps begin with
REPORT_STEPS = 50


@dataclass(frozen=True)
class Plan:
    """How to train.

    Attributes:
        rate: The highest learning rate; it rises to it, then falls along a cosine.
        phone_weight: Weight of the auxiliary loss; 1.0 helps from nothing, 0.3 later.
        phone_steps: So long a fresh auxiliary layer learns without moving a trained encoder.
        feature_padding: Share of batches whose features, not sound, are padded.
        seed: Of masks and initial weights.
    """

    rate: float = 7e-4
    phone_weight: float = 0.3
    phone_steps: int = 500
    feature_padding: float = 0.35
    seed: int = 0


class Trainer:
    """The network, its auxiliary output layer, the optimizer and the running average.

    Args:
        network: Trained in place.
        classes: The trained tokens.
        plan: How to train.
    """

    def __init__(self, network: Whisper, classes: Classes, plan: Plan) -> None:
        self.network, self.plan = network, plan
        self._timestamps = (classes.first_timestamp, classes.unused)
        self._draw = np.random.default_rng(plan.seed)
        n_state = network.encoder.layer_norm.normalized_shape[0]
        self._phones = nn.Linear(n_state, n_phones())
        trained = [*network.parameters(), *self._phones.parameters()]
        self._parameters = [p for p in trained if p.requires_grad]
        groups = [
            {"params": [p for p in self._parameters if p.ndim > 1], "weight_decay": WEIGHT_DECAY},
            {"params": [p for p in self._parameters if p.ndim <= 1], "weight_decay": 0.0},
        ]
        self._optimizer = torch.optim.AdamW(groups, lr=plan.rate, betas=BETAS, fused=True)
        self._average = [p.detach().clone() for p in self._parameters]
        self.n_steps = 0

    def step(self, batch: Batch, done: float) -> tuple[float, float]:
        """Learn from one batch.

        Args:
            batch: The windows.
            done: How much of the training is over, from 0 to 1; sets the learning rate.

        Returns:
            The loss of the tokens and that of the phones.
        """
        warmup = min(1.0, (self.n_steps + 1) / WARMUP_STEPS)
        for group in self._optimizer.param_groups:
            group["lr"] = self.plan.rate * warmup * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
        mel = mask(log_mel(batch.samples), MASKED, self._draw)
        if self._draw.random() < self.plan.feature_padding:
            mel = pad_features(mel, batch.n_samples)
        encoded = self.network.encoder(mel)
        logits, attentions = self.network.decoder(batch.classes[:, :-1], encoded)
        token_loss = self._token_loss(logits, batch.classes[:, 1:], batch.weights[:, 1:])
        states = encoded.detach() if self.n_steps < self.plan.phone_steps else encoded
        phone_loss = self._phone_loss(states, batch.phones)
        heads = [attention_loss(attention, batch.heard[:, 1:]) for attention in attentions]
        missed = torch.stack(heads).mean()
        loss = token_loss + self.plan.phone_weight * phone_loss + ATTENTION_WEIGHT * missed
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_GRADIENT)
        nn.utils.clip_grad_norm_(self._phones.parameters(), LARGEST_GRADIENT)
        self._optimizer.step()
        self.n_steps += 1
        self._update_average()
        return float(token_loss.detach()), float(phone_loss.detach())

    def _token_loss(self, logits: Tensor, classes: Tensor, weights: Tensor) -> Tensor:
        scores = F.log_softmax(logits, dim=-1).flatten(0, 1)
        target, weight = classes.flatten(), weights.flatten()
        right = scores.gather(1, target[:, None])[:, 0]
        text = -(1 - SMOOTHING) * right - SMOOTHING * scores.mean(dim=-1)
        first, stop = self._timestamps
        near = torch.zeros_like(right)
        for offset, share in NEIGHBOURS.items():
            neighbour = (target + offset).clamp(first, stop - 1)
            near = near - share * scores.gather(1, neighbour[:, None])[:, 0]
        is_timestamp = (target >= first) & (target < stop)
        loss = torch.where(is_timestamp, near, text) * weight
        return loss.sum() / weight.sum()

    def _phone_loss(self, encoded: Tensor, phones: list[list[int]]) -> Tensor:
        """Per phone; windows that are too short for their phones are left out."""
        n_positions = encoded.shape[1]
        usable = [i for i, spoken in enumerate(phones) if 0 < 1.5 * len(spoken) < n_positions - 2]
        if not usable:
            return torch.zeros(())
        scores = F.log_softmax(self._phones(encoded[usable]), dim=-1).transpose(0, 1)
        lengths = torch.tensor([len(phones[i]) for i in usable])
        loss = F.ctc_loss(
            scores,
            torch.tensor([phone for i in usable for phone in phones[i]]),
            torch.full((len(usable),), n_positions),
            lengths,
            blank=BLANK,
            reduction="none",
            zero_infinity=True,
        )
        return (loss / lengths).mean()

    @torch.no_grad()
    def _update_average(self) -> None:
        keep = min(AVERAGE, (1 + self.n_steps) / (20 + self.n_steps))
        for average, parameter in zip(self._average, self._parameters, strict=True):
            average.lerp_(parameter, 1 - keep)

    @torch.no_grad()
    def with_average(self, use: Callable[[Whisper], None]) -> None:
        """Call ``use`` while the network holds the running average."""
        current = [p.detach().clone() for p in self._parameters]
        _assign(self._parameters, self._average)
        try:
            use(self.network)
        finally:
            _assign(self._parameters, current)


def attention_loss(attention: Tensor, heard: Tensor) -> Tensor:
    """Teach an alignment head to look where each predicted token is heard.

    Args:
        attention: Logarithms, (n_batch, n_tokens, n_positions).
        heard: (n_batch, n_tokens, 2) in seconds; NaN for tokens that are not heard.

    Returns:
        Minus the logarithm of the attention that falls on the right positions, on average.
    """
    centres_s = (torch.arange(attention.shape[-1]) + 0.5) * TIMESTAMP_S
    inside = (centres_s >= heard[..., :1]) & (centres_s <= heard[..., 1:])
    known = inside.any(dim=-1)
    if not known.any():
        return torch.zeros(())
    return -attention[known].masked_fill(~inside[known], -torch.inf).logsumexp(dim=-1).mean()


def _assign(parameters: list[nn.Parameter], values: list[Tensor]) -> None:
    for parameter, value in zip(parameters, values, strict=True):
        parameter.data.copy_(value)


@torch.no_grad()
def restart_timestamps(network: Whisper, classes: Classes) -> None:
    """Let the time stamps begin as the encoder's position table around their mean.

    The encoder's states hold the code of their position (a linear map reads it off to a median of
    20 ms), so the decoder then only has to carry over the code of the position it attends to.
    """
    rows = network.decoder.embed_tokens.weight[classes.first_timestamp : classes.unused]
    table = sinusoids(*rows.shape)
    rows.copy_(rows.mean(dim=0) + TIMESTAMP_SCALE * (table - table.mean(dim=0)))


def train(
    trainer: Trainer, batches: Iterator[Batch], minutes: float, n_steps: int | None
) -> Iterator[int]:
    """Train until the time or the number of steps is used up; yields the number of each step."""
    start_s = time.monotonic()
    sums = np.zeros(2)
    for batch in batches:
        spent = (time.monotonic() - start_s) / 60 / minutes
        done = spent if n_steps is None else trainer.n_steps / n_steps
        if done >= 1:
            return
        sums += trainer.step(batch, done)
        if trainer.n_steps % REPORT_STEPS == 0:
            token_loss, phone_loss = sums / REPORT_STEPS
            print(f"step {trainer.n_steps}: tokens {token_loss:.3f}, phones {phone_loss:.3f}")
            sums[:] = 0
        yield trainer.n_steps


def main() -> None:
    """Read the data, train, save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--split", default="train", help="other splits are for tests of the recipe")
    parser.add_argument("--synthetic", type=Path, help="folder made by voices.py")
    parser.add_argument("--start", type=Path, default=Path(".."), help="checkpoint to begin with")
    parser.add_argument("--from-nothing", action="store_true", help="use only its settings")
    parser.add_argument("--restart-timestamps", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("trained"))
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--steps", type=int, help="instead of --minutes")
    parser.add_argument("--rate", type=float, default=Plan.rate)
    parser.add_argument("--phone-weight", type=float, default=Plan.phone_weight)
    parser.add_argument("--long", type=float, default=0.5, help="share of long windows")
    parser.add_argument("--batch-s", type=float, default=BATCH_S, help="seconds of sound per step")
    parser.add_argument("--save-steps", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    clips = read_clips(options.data, [options.split])
    synthetic = read_clips(options.synthetic, ["train"]) if options.synthetic else []
    if options.from_nothing:
        classes = classes_of_texts(clip.text for clip in [*clips, *synthetic])
        network = checkpoint.fresh(options.start, classes)
    else:
        network, classes = checkpoint.read(options.start)
    if options.restart_timestamps or options.from_nothing:
        restart_timestamps(network, classes)
    plan = Plan(
        rate=options.rate,
        phone_weight=options.phone_weight,
        phone_steps=0 if options.from_nothing else Plan.phone_steps,
        seed=options.seed,
    )
    trainer = Trainer(network, classes, plan)
    batches = Batches(clips, synthetic, classes, options.long, options.batch_s, options.seed)

    def save(averaged: Whisper) -> None:
        checkpoint.write(averaged, classes, options.out, options.start)

    for step in train(trainer, stream(batches), options.minutes, options.steps):
        if step % options.save_steps == 0:
            trainer.with_average(save)
    trainer.with_average(save)


if __name__ == "__main__":
    main()
