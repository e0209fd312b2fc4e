"""A session whose predictions are written by a test, and which keeps a Session's promises."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from whisperq_edge.edge.types import (
    AudioContexts,
    FloatArray,
    IntArray,
    ModelDimensions,
    Session,
    SessionFacts,
)
from whisperq_edge.runtimes.checks import check_mel, check_rewind, check_tokens

UNLIKELY = -30.0
ANY_CONTEXT = AudioContexts(1500)

Script = Callable[[int, tuple[int, ...]], Mapping[int, float]]
"""From the number of windows encoded and the tokens so far, the logits that are not UNLIKELY."""


class ScriptedSession(Session):
    """Predicts what its script says.

    Every step writes to the same buffer, so that a caller who keeps logits or who expects his
    changes to be gone is found out.

    Attributes:
        encoded: Frames of every window encoded.
        steps: Tokens of every step.
    """

    def __init__(
        self,
        script: Script,
        *,
        contexts: AudioContexts = ANY_CONTEXT,
        n_vocab: int = 51865,
        n_text_ctx: int = 448,
    ) -> None:
        self.dimensions = ModelDimensions(80, 1500, 64, 2, 2, n_vocab, n_text_ctx, 64, 2, 2)
        self.contexts = contexts
        self.facts = SessionFacts("scripted", "0", "none", 1, "decoder", {})
        self.encoded: list[int] = []
        self.steps: list[IntArray] = []
        self._script = script
        self._hypotheses: list[tuple[int, ...]] = []
        self._buffer: FloatArray = np.empty((0, n_vocab), np.float32)

    def encode(self, mel: FloatArray) -> None:
        check_mel(mel, self.dimensions, self.contexts)
        self.encoded.append(mel.shape[1])
        self._hypotheses = [()]

    def step(self, tokens: IntArray) -> FloatArray:
        check_tokens(tokens, len(self._hypotheses), self.n_past, self.dimensions)
        self.steps.append(tokens.copy())
        self._hypotheses = [
            (*past, *new) for past, new in zip(self._hypotheses, tokens.tolist(), strict=True)
        ]
        if len(self._buffer) != len(tokens):
            self._buffer = np.empty((len(tokens), self.dimensions.n_vocab), np.float32)
        self._buffer[:] = UNLIKELY
        for row, past in zip(self._buffer, self._hypotheses, strict=True):
            for token, logit in self._script(len(self.encoded), past).items():
                row[token] = logit
        return self._buffer

    def reorder(self, sources: IntArray) -> None:
        self._hypotheses = [self._hypotheses[source] for source in sources]

    def rewind(self, n_tokens: int) -> None:
        check_rewind(n_tokens, self.n_past)
        self._hypotheses = [past[:n_tokens] for past in self._hypotheses]

    @property
    def n_past(self) -> int:
        return len(self._hypotheses[0]) if self._hypotheses else 0

    @property
    def alignment(self) -> FloatArray:
        pytest.fail("decoding has no use for it")

    def window(self) -> FloatArray:
        pytest.fail("decoding has no use for it")

    def close(self) -> None:
        pass
