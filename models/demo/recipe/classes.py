"""The few tokens that are trained, out of Whisper's 51865.

The network is trained over compact classes: one per token that the texts use, and one, the last,
that stands for all the others. Training with all rows would spend nine tenths of the output
layer's time on tokens that never occur. When the checkpoint is written, every unused token gets
the vector of the last class; because that class carries log(n unused) in training, the softmax
over all tokens then equals the one that was trained.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from grammar import sentence
from tokenizer import N_VOCAB, special_id, text_ids

N_SENTENCES = 60_000  # of the grammar, whose tokens are all trained
SPECIALS = (
    "endoftext",
    "startoftranscript",
    "en",
    "transcribe",
    "startofprev",
    "nospeech",
    "notimestamps",
)


@dataclass(frozen=True)
class Classes:
    """The trained tokens.

    Attributes:
        ids: The token of each class, ascending; the class of all other tokens comes after them.
    """

    ids: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.ids) + 1

    @property
    def unused(self) -> int:
        """The class of all other tokens."""
        return len(self.ids)

    @property
    def unused_bias(self) -> float:
        """What its logit gets in training: the logarithm of the number of its tokens."""
        return math.log(N_VOCAB - len(self.ids))

    @cached_property
    def _lookup(self) -> dict[int, int]:
        return {token: index for index, token in enumerate(self.ids)}

    def of(self, tokens: Iterable[int]) -> list[int]:
        """Classes of tokens; a token that is not trained raises ``KeyError``."""
        return [self._lookup[token] for token in tokens]

    @property
    def first_timestamp(self) -> int:
        """The class of ``<|0.00|>``; all later classes but the last are time stamps."""
        return self._lookup[special_id("0.00")]

    def compact(self, embedding: Tensor) -> Tensor:
        """Rows of the classes, from the (51865, n_state) rows of a checkpoint."""
        unused = next(token for token in range(N_VOCAB) if token not in self._lookup)
        return embedding[[*self.ids, unused]].float()

    def full(self, rows: Tensor) -> Tensor:
        """The (51865, n_state) rows of a checkpoint, from those of the classes."""
        embedding = rows[self.unused].repeat(N_VOCAB, 1)
        embedding[list(self.ids)] = rows[: self.unused]
        return embedding


def classes_of_texts(texts: Iterable[str]) -> Classes:
    """The tokens of the grammar, of further texts, and of Whisper's format."""
    draw = random.Random(3)
    spoken = {sentence(draw)[1] for _ in range(N_SENTENCES)} | set(texts)
    tokens = {token for text in spoken if text for token in text_ids(text)}
    tokens |= {special_id(name) for name in SPECIALS}
    tokens |= set(range(special_id("0.00"), N_VOCAB))
    return Classes(tuple(sorted(tokens)))


def classes_of_embedding(embedding: Tensor) -> Classes:
    """The trained tokens of a checkpoint: those whose row is not the one shared by all others."""
    rows = embedding.float()
    alike = rows
    for column in range(3):  # one alone might be shared with a trained row by chance
        values, counts = alike[:, column].unique(return_counts=True)
        alike = alike[alike[:, column] == values[counts.argmax()]]
    shared = alike[0]
    used = (rows != shared).any(dim=1)
    return Classes(tuple(used.nonzero().flatten().tolist()))
