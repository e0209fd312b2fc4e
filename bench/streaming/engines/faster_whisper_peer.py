"""faster-whisper under LocalAgreement-2."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from faster_whisper import WhisperModel

from streaming.agreement import Heard, LocalAgreement, longest_pause, prompt_of, shifted
from streaming.utterances import SAMPLE_RATE, Utterance

PROMPT_CHARACTERS = 200
WINDOW_S = 30
SILENCE = 0.9  # probability of no speech from which a segment is left out
# Greedy and without timestamps, as the streams of ours: with them it needs a sixth more time for
# the bundled model, and makes more errors. Times of words come from attention either way.
OPTIONS = {
    "language": "en",
    "beam_size": 1,
    "best_of": 1,
    "vad_filter": False,
    "without_timestamps": True,
}
SCRIPTED = {  # and no prompt: their words go by position
    "temperature": 0.0,
    "compression_ratio_threshold": None,
    "log_prob_threshold": None,
    "no_speech_threshold": None,
}

Event = dict[str, Any]


class Engine:
    """See the package; ``precision`` is a compute type of CTranslate2."""

    def __init__(self, folder: Path, precision: str, threads: int) -> None:
        self._model = WhisperModel(
            str(folder), device="cpu", compute_type=precision, cpu_threads=threads, num_workers=1
        )
        self.facts = {name: version(name) for name in ("faster-whisper", "ctranslate2", "numpy")}
        self.facts["compute type"] = self._model.model.compute_type
        self._encode = self._model.encode

    def open(self, job: dict[str, Any]) -> AgreementStream:
        """Start a stream."""
        self._model.encode = windows = Windows(self._encode)
        return AgreementStream(self._model, windows, job)


class Windows:
    """The engine's encoder, which counts its calls and ends a transcription after one window.

    A text without timestamps makes faster-whisper read on behind its last word, where there is
    nothing but silence: three times the time, for words that nobody said.
    """

    def __init__(self, encode: Callable[[np.ndarray], Any]) -> None:
        self._encode = encode
        self.n_encoded = 0
        self.n_left = 0

    def __call__(self, features: np.ndarray) -> Any:  # noqa: ANN401 - the engine's own
        """WhisperModel.encode."""
        if not self.n_left:
            raise NoMoreWindowsError
        self.n_left -= 1
        self.n_encoded += 1
        return self._encode(features)


class NoMoreWindowsError(Exception):
    """The buffer is read."""


class AgreementStream:
    """One stream; its utterances are known beforehand, but not looked at before their time."""

    def __init__(self, model: WhisperModel, windows: Windows, job: dict[str, Any]) -> None:
        self._model = model
        self._windows = windows
        self._job = job
        self._ahead = [Utterance(*numbers) for numbers in job["utterances"]]
        self._frames: list[np.ndarray] = []
        self._n_heard = 0
        self._agreement = LocalAgreement()
        self._previous: list[Heard] = []  # decided in this utterance, and out of the buffer
        self._spoken: list[Heard] = []  # decided in this utterance
        self._shown = ""
        self._start = self._updated = 0  # samples of the stream
        self._speaking: Utterance | None = None
        self._n_updates = 0

    def feed(self, samples: np.ndarray) -> list[Event]:
        """Take in one frame; all but the last are of the same length."""
        self._frames.append(samples)
        self._n_heard += len(samples)
        if self._speaking is None and self._ahead and self._n_heard >= self._ahead[0].known:
            self._speaking = self._ahead.pop(0)
            self._start = self._updated = self._speaking.start
            self._agreement = LocalAgreement(decided_until=self._start / SAMPLE_RATE)
        if self._speaking is None:
            return []
        if self._n_heard >= self._speaking.ended:
            return self._end(self._speaking)
        n_new = self._n_heard - self._updated
        return self._update() if n_new >= self._job["chunk_s"] * SAMPLE_RATE else []

    def finish(self) -> list[Event]:
        """The stream is over."""
        return self._end(self._speaking) if self._speaking else []

    @property
    def counts(self) -> dict[str, float]:
        """What was done so far."""
        encoded_s = float(WINDOW_S * self._windows.n_encoded)
        return {"updates": self._n_updates, "encoded_s": encoded_s}

    def _update(self) -> list[Event]:
        self._updated = self._n_heard
        words = self._transcribe(self._n_heard)
        events = self._decided(self._agreement.take(words))
        pending = self._agreement.pending
        if (text := "".join(word.word for word in pending)) != self._shown:
            events.append(self._event("partial", pending))
        self._shown = text
        length_s = (self._n_heard - self._start) / SAMPLE_RATE
        if length_s > self._job["trimming_s"]:
            self._trim(length_s)
        return events

    def _trim(self, length_s: float) -> None:
        now_s, start_s = self._n_heard / SAMPLE_RATE, self._start / SAMPLE_RATE
        heard = [(start, min(end, now_s)) for start, end in self._job["silences"] if start < now_s]
        least_s = start_s + length_s - self._job["trimming_s"] + self._job["chunk_s"]
        cut_s = longest_pause(self._agreement.decided, heard, least_s)
        if cut_s is not None and cut_s > start_s:
            self._previous += self._agreement.forget(cut_s)
            self._start = round(cut_s * SAMPLE_RATE)

    def _end(self, utterance: Utterance) -> list[Event]:
        """Hear the utterance whole, so that no word at its end is lost, and begin afresh."""
        words = self._transcribe(min(self._n_heard, max(utterance.stop, self._updated)))
        events = self._decided(self._agreement.take_last(words))
        if self._shown:
            events.append(self._event("partial", []))
        if self._spoken:
            events.append(self._event("endpoint", self._spoken))
        self._previous, self._spoken, self._shown, self._speaking = [], [], "", None
        return events

    def _transcribe(self, stop: int) -> list[Heard]:
        """All words of the buffer, by the stream's time."""
        n_frame = len(self._frames[0])
        first = self._start // n_frame
        buffer = np.concatenate(self._frames[first:])
        sound = buffer[self._start - first * n_frame : stop - first * n_frame]
        options: dict[str, Any] = dict(OPTIONS)
        if words_per_s := self._job["words_per_s"]:
            n_words = max(1, round(words_per_s * len(sound) / SAMPLE_RATE))
            options |= {**SCRIPTED, "max_new_tokens": n_words}
        else:
            options["initial_prompt"] = prompt_of(self._previous, PROMPT_CHARACTERS) or None
        self._n_updates += 1
        self._windows.n_left = -(-len(sound) // (WINDOW_S * SAMPLE_RATE))
        segments, _ = self._model.transcribe(sound, word_timestamps=True, **options)
        words: list[Heard] = []
        offset_s = self._start / SAMPLE_RATE
        with suppress(NoMoreWindowsError):
            for segment in segments:  # decodes while it is read
                if segment.no_speech_prob <= SILENCE:
                    heard = segment.words or ()
                    words += [Heard(w.word, w.start, w.end, w.probability) for w in heard]
        return shifted(words, offset_s)

    def _decided(self, words: list[Heard]) -> list[Event]:
        self._spoken += words
        return [self._event("committed", words)] if words else []

    def _event(self, kind: str, words: list[Heard]) -> Event:
        end = self._agreement.decided_until
        return {
            "kind": kind,
            "text": "".join(word.word for word in words),
            "words": [vars(word) for word in words],
            "start": words[0].start if words else end,
            "end": words[-1].end if words else end,
            "audio_time": self._n_heard / SAMPLE_RATE,
            "emission_time": 0.0,  # the parent knows when it would have been told
        }
