"""Whisper's tokens: text to ids and back, and the special ones by their role."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import tokenizers

from ..errors import ArtifactError
from ..types import POSITIONS_PER_SECOND, GenerationSettings

SECONDS_PER_TIMESTAMP = 1 / POSITIONS_PER_SECOND
N_TIMESTAMPS = 1501  # 0.00 s to 30.00 s


class Tokenizer:
    """Encodes and decodes text, and knows the special tokens of its vocabulary.

    All three vocabularies work (English-only, 99 and 100 languages): tokens are found by name.
    Special tokens start at ``eot`` and timestamps at ``timestamp_begin``; all below is text, and so
    is what a fine-tune added behind the timestamps.

    Args:
        content: A ``tokenizer.json`` of the Hugging Face layout.
        generation: Names the languages.

    Attributes:
        eot: End of the text.
        sot: Start of a transcript.
        sot_prev: Start of the text that came before.
        no_speech: Its probability after ``sot`` says that nobody speaks.
        no_timestamps: Ends a prompt that asks for text alone.
        timestamp_begin: The timestamp 0.00 s; each next id is 20 ms later.
        timestamp_end: The first id behind the timestamps.
        n_tokens: Ids that mean something; a padded embedding has more rows.
        language_tokens: The token of each language code, in the model's order.

    Raises:
        ArtifactError: It is not a tokenizer, or lacks a token that Whisper needs.
    """

    def __init__(self, content: bytes, generation: GenerationSettings) -> None:
        self._tokenizer = _parse(content)
        self.eot = self._id("endoftext")
        self.sot = self._id("startoftranscript")
        self.sot_prev = self._id("startofprev")
        self.no_speech = self._id("nospeech", "nocaptions")
        self.no_timestamps = self._id("notimestamps")
        # Older files stop here: the timestamps are defined by their place, not by an entry.
        self.timestamp_begin = self.no_timestamps + 1
        self.timestamp_end = self.timestamp_begin + N_TIMESTAMPS
        behind = {
            token: added
            for token, added in self._tokenizer.get_added_tokens_decoder().items()
            if token >= self.timestamp_end
        }
        self.n_tokens = max(behind, default=self.timestamp_end - 1) + 1
        self._added = {token for token, added in behind.items() if not added.special}
        self.language_tokens = {code: self._id(code) for code in generation.languages}
        self.task_tokens = {task: self._id(task) for task in ("transcribe", "translate")}
        self._sot_lm = self._id("startoflm")

    @classmethod
    def read(cls, path: Path, generation: GenerationSettings) -> Tokenizer:
        """Read a ``tokenizer.json``.

        Raises:
            ArtifactError: The file cannot be read or is not a Whisper tokenizer.
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ArtifactError(f"{path} cannot be read: {error.strerror}") from error
        return cls(content, generation)

    @property
    def is_multilingual(self) -> bool:
        """Whether prompts carry a language and a task token."""
        return bool(self.language_tokens)

    @property
    def control_tokens(self) -> tuple[int, ...]:
        """Tokens that belong into a prompt and are never a model's answer."""
        starts = (self.sot, self.sot_prev, self._sot_lm)
        return (*starts, *self.task_tokens.values(), self.no_speech)

    def is_text(self, token: int) -> bool:
        """Whether an id spells something."""
        return token < self.eot or token in self._added

    def is_time(self, token: int) -> bool:
        """Whether an id is a timestamp."""
        return self.timestamp_begin <= token < self.timestamp_end

    def encode(self, text: str) -> list[int]:
        """Ids of a text; special tokens spelt out in it are left out, not obeyed."""
        ids = self._tokenizer.encode(text, add_special_tokens=False).ids
        return [token for token in ids if self.is_text(token)]

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of ids, without special tokens and timestamps; unfinished bytes give U+FFFD."""
        text: str = self._tokenizer.decode(
            [token for token in tokens if self.is_text(token)], skip_special_tokens=False
        )
        return text

    def decode_with_timestamps(self, tokens: Iterable[int]) -> str:
        """The text of ids with timestamps in place, as ``<|1.08|>``."""
        pieces: list[str] = []
        text: list[int] = []
        for token in tokens:
            if self.is_time(token):
                pieces += [self.decode(text), f"<|{self.seconds(token):.2f}|>"]
                text = []
            else:
                text.append(token)
        return "".join([*pieces, self.decode(text)])

    def seconds(self, timestamp: int) -> float:
        """The time that a timestamp token stands for, from the start of the window."""
        return (timestamp - self.timestamp_begin) * SECONDS_PER_TIMESTAMP

    def start_sequence(self, task: str, language: str, *, without_timestamps: bool) -> list[int]:
        """The tokens that start a transcript.

        Args:
            task: "transcribe" or "translate".
            language: A code of ``language_tokens``; an English-only model's prompt has neither.
            without_timestamps: Whether text alone is wanted.
        """
        tokens = [self.sot]
        if self.is_multilingual:
            tokens += [self.language_tokens[language], self.task_tokens[task]]
        return [*tokens, self.no_timestamps] if without_timestamps else tokens

    def previous_sequence(self, previous: Sequence[int], longest: int) -> list[int]:
        """The last of the text before, as the tokens in front of ``start_sequence``.

        Args:
            previous: Text and timestamps, without special tokens.
            longest: How many of them there may be at most.
        """
        return [self.sot_prev, *previous[-longest:]] if previous else []

    def _id(self, *names: str) -> int:
        found = (self._tokenizer.token_to_id(f"<|{name}|>") for name in names)
        token: int | None = next((token for token in found if token is not None), None)
        if token is None:
            raise ArtifactError(f"the tokenizer has no <|{names[0]}|>: it is not a Whisper's")
        return token


def _parse(content: bytes) -> tokenizers.Tokenizer:
    try:
        return tokenizers.Tokenizer.from_buffer(content)
    except Exception as error:  # the library raises nothing more specific
        raise ArtifactError(f"the tokenizer cannot be read: {error}") from error
