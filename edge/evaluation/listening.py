"""What the unquantized checkpoint writes, which is the text that artifacts are judged by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ...models.parameters import Parameters
from ...runtimes.run_reference import ReferenceSession
from ..decoding.decoder import Decoder
from ..decoding.tokens import Tokenizer
from ..types import (
    AudioContexts,
    FloatArray,
    GenerationSettings,
    IntArray,
    ModelDimensions,
    Progress,
    no_progress,
)
from .blas import one_blas_thread
from .recordings import LabelledRecording
from .teacher import OPTIONS, features

# Logits that are kept: enough for all the bundled recordings say, and 80 MB at most.
MAX_PLACES = 400


@dataclass(frozen=True)
class Heard:
    """One recording, and what the unquantized checkpoint wrote.

    Attributes:
        recording: With the words that were really said.
        mel: What it heard, (n_mels, n_frames).
        tokens: The prompt, and the text as far as it was read: (n_prompt + n_text,).
        n_prompt: How many of the tokens are the prompt.
        logits: After the prompt and after every token of the text: (n_text + 1, n_vocab).
        text: What it wrote.
    """

    recording: LabelledRecording
    mel: FloatArray
    tokens: tuple[int, ...]
    n_prompt: int
    logits: FloatArray
    text: str


@dataclass(frozen=True)
class Listener:
    """Anything that a reference can run, with its tokenizer."""

    dimensions: ModelDimensions
    generation: GenerationSettings
    tokenizer: Tokenizer

    def listen(
        self,
        parameters: Parameters,
        recordings: Sequence[LabelledRecording],
        contexts: AudioContexts,
        progress: Progress = no_progress,
    ) -> list[Heard]:
        """Let the checkpoint write down recordings.

        Args:
            parameters: The checkpoint's, in fp32.
            recordings: Of speech.
            contexts: Windows that the artifact beside it offers, so that both hear the same.
            progress: Told the share of recordings done, as "judge the checkpoint".
        """
        with one_blas_thread():
            return list(self._each(parameters, recordings, contexts, progress))

    def _each(
        self,
        parameters: Parameters,
        recordings: Sequence[LabelledRecording],
        contexts: AudioContexts,
        progress: Progress,
    ) -> Iterator[Heard]:
        session = _Attentive(parameters, self.dimensions, self.generation)
        decoder = Decoder(session, self.tokenizer, self.generation, OPTIONS)
        prompt = self.tokenizer.start_sequence("transcribe", "en", without_timestamps=True)
        n_left = MAX_PLACES
        for k, recording in enumerate(recordings):
            progress("judge the checkpoint", k / len(recordings))
            mel = features(recording, contexts, self.dimensions.n_mels)
            session.encode(mel)
            result = decoder.decode(decoder.begin(decoder.detect_language()), 0.0)
            # The start token is read by itself, before the rest of the prompt.
            rows = session.logits[1 : 1 + max(1, n_left)]
            n_left -= len(rows)
            read = result.tokens[: len(rows) - 1]
            yield Heard(
                recording, mel, (*prompt, *read), len(prompt), np.concatenate(rows), result.text
            )


class _Attentive(ReferenceSession):
    """Keeps the logits of every step since the window was encoded."""

    logits: list[FloatArray]

    def encode(self, mel: FloatArray) -> None:
        """See Session."""
        super().encode(mel)
        self.logits = []

    def step(self, tokens: IntArray) -> FloatArray:
        """See Session."""
        logits = super().step(tokens)
        self.logits.append(logits.copy())  # the rules of decoding change them
        return logits
