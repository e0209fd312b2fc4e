"""Decoding of the window that a session holds, at one temperature at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError, ContextFullError
from ..types import POSITIONS_PER_SECOND, FloatArray, GenerationSettings, Session
from .beam import BeamSearch
from .greedy import GreedySearch
from .language import Language, detect_language
from .languages import LANGUAGE_NAMES, language_code
from .options import DecodingOptions
from .repetition import loop_start
from .result import DecodingResult, compression_ratio
from .rules import LogitRule, SuppressBlank, SuppressTokens, TimestampRules, suppressed_tokens
from .sampling import SamplingSearch
from .search import Search, Watch, best, run
from .softmax import Normalizer
from .tokens import Tokenizer


@dataclass(frozen=True)
class Prompted:
    """A prompt that the session has seen, from where every attempt starts.

    Attributes:
        n_tokens: Length of the prompt.
        logits: What it predicts, shape (1, n_vocab).
        no_speech_prob: Probability that nobody speaks.
        language: The language that the prompt names.
    """

    n_tokens: int
    logits: FloatArray
    no_speech_prob: float
    language: Language


class Decoder:
    """Turns an encoded window into text.

    Args:
        session: Holds the window; nobody else may use it meanwhile.
        tokenizer: Of the same checkpoint.
        generation: Of the same checkpoint.
        options: The same for all windows.

    Attributes:
        language: The only one that comes into question; None where it is to be detected.

    Raises:
        ConfigError: The model cannot do what the options ask for.
    """

    def __init__(
        self,
        session: Session,
        tokenizer: Tokenizer,
        generation: GenerationSettings,
        options: DecodingOptions,
    ) -> None:
        self.session = session
        self.tokenizer = tokenizer
        self.options = options
        self.language = _wanted_language(options, tokenizer)
        self._rules = _rules(options, tokenizer, generation, session.dimensions.n_vocab)
        self._normalizer = Normalizer(session.dimensions.n_vocab)
        self._generator = np.random.default_rng(options.seed)
        self._n_hypotheses = 1

    def detect_language(self) -> Language:
        """The language of the window, unless there is no choice."""
        return self.language or detect_language(self.session, self.tokenizer)

    def begin(
        self,
        language: Language,
        *,
        previous: Sequence[int] = (),
        prefix: Sequence[int] = (),
    ) -> Prompted:
        """Feed the prompt; what the session held of a text before is forgotten.

        Args:
            language: From ``detect_language``.
            previous: Tokens of the text before this window; only the last of them are used.
            prefix: Tokens that this window's text is to begin with.

        Raises:
            ContextFullError: The prefix leaves no room.
        """
        before = self.tokenizer.previous_sequence(previous, self._n_half - 1)
        after = self.tokenizer.start_sequence(
            self.options.task,
            language.code,
            without_timestamps=self.options.without_timestamps,
        )
        after += prefix
        n_tokens = len(before) + len(after)
        if n_tokens > self.session.dimensions.n_text_ctx:
            raise ContextFullError(f"a prompt of {n_tokens} tokens leaves no room for text")
        self._return_to(0, n_hypotheses=1)
        # The start token's prediction says whether anybody speaks, so it is read on the way.
        n_until_start = len(before) + 1
        prompt = np.array([before + after], np.int64)
        logits = self.session.step(prompt[:, :n_until_start])
        no_speech_prob = self._normalizer.probability(logits[0], self.tokenizer.no_speech)
        if n_until_start < n_tokens:
            logits = self.session.step(prompt[:, n_until_start:])
        return Prompted(n_tokens, logits.copy(), no_speech_prob, language)

    def decode(
        self, prompted: Prompted, temperature: float, watch: Watch | None = None
    ) -> DecodingResult:
        """Search a text after the prompt; may be repeated with other temperatures.

        Args:
            prompted: The session's latest prompt.
            temperature: 0 searches, more draws.
            watch: May stop the search.
        """
        search = self._search(temperature)
        self._return_to(prompted.n_tokens, search.n_start)
        logits = np.repeat(prompted.logits, search.n_start, axis=0)
        # The last token is only read, never fed: one more fits than there are positions.
        n_room = self.session.dimensions.n_text_ctx - prompted.n_tokens + 1
        n_most = min(self.options.sample_len or self._n_half, n_room)
        guards = self.options.repetition_guard
        watches = [*([_all_loop] if guards else []), *([watch] if watch else [])]
        run(search, self.session, logits, self._rules, n_most, watches)
        found = best(search.candidates(), self.options.length_penalty)
        loop = loop_start(found.tokens) if guards else None
        tokens = found.tokens[:loop]
        return DecodingResult(
            tokens=tokens,
            logprobs=found.logprobs[: len(tokens)],
            text=self.tokenizer.decode(tokens).strip(),
            avg_logprob=found.avg_logprob,
            no_speech_prob=prompted.no_speech_prob,
            temperature=temperature,
            compression_ratio=compression_ratio(self.tokenizer.decode(found.tokens).strip()),
            language=prompted.language.code,
            language_probability=prompted.language.probability,
            ended=found.ended,
            looped=loop is not None,
        )

    @property
    def _n_half(self) -> int:
        """The decoder's positions are shared evenly between the text before and the text."""
        return self.session.dimensions.n_text_ctx // 2

    def _search(self, temperature: float) -> Search:
        eot, normalizer, options = self.tokenizer.eot, self._normalizer, self.options
        if temperature > 0:
            n_texts = options.best_of or 1
            return SamplingSearch(eot, normalizer, temperature, n_texts, self._generator)
        if options.beam_size is not None:
            return BeamSearch(eot, normalizer, options.beam_size, options.patience)
        return GreedySearch(eot, normalizer)

    def _return_to(self, n_tokens: int, n_hypotheses: int) -> None:
        """Go back to ``n_tokens``, where all hypotheses agree, and make as many as wanted.

        A search changes their number only between two steps, so the last number known holds
        wherever no token came since.
        """
        if (self.session.n_past, self._n_hypotheses) != (n_tokens, n_hypotheses):
            self.session.rewind(n_tokens)
            self.session.reorder(np.zeros(n_hypotheses, np.int64))
            self._n_hypotheses = n_hypotheses


def _all_loop(sampled: Sequence[Sequence[int]]) -> bool:
    """Whether no hypothesis says anything new; asked at every token."""
    return all(loop_start(tokens) is not None for tokens in sampled)


def _wanted_language(options: DecodingOptions, tokenizer: Tokenizer) -> Language | None:
    name, codes = options.language, tokenizer.language_tokens
    if tokenizer.is_multilingual:
        return None if name is None else Language(language_code(name, codes))
    if options.task == "translate":
        raise ConfigError("this model knows English only and cannot translate; leave task out")
    if name is not None and name.strip().lower() not in ("en", LANGUAGE_NAMES["en"]):
        raise ConfigError(f"this model knows English only, not '{name}'; leave language out")
    return Language("en")


def _rules(
    options: DecodingOptions, tokenizer: Tokenizer, generation: GenerationSettings, n_vocab: int
) -> list[LogitRule]:
    suppressed = suppressed_tokens(
        options.suppress_tokens, generation.suppress_tokens, tokenizer, n_vocab
    )
    rules: list[LogitRule] = []
    if options.suppress_blank:
        rules.append(SuppressBlank(generation.begin_suppress_tokens))
    if options.without_timestamps:
        return [*rules, SuppressTokens(suppressed)]
    latest_first = round(generation.max_initial_timestamp * POSITIONS_PER_SECOND)
    return [
        *rules,
        SuppressTokens(suppressed | {tokenizer.no_timestamps}),
        TimestampRules(tokenizer, latest_first),
    ]
