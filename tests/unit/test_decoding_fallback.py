"""The decoder's prompt, the detection of the language, and the temperatures after a failure."""

from __future__ import annotations

import math
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest

from whisperq_edge.edge.decoding.decoder import Decoder
from whisperq_edge.edge.decoding.fallback import decode_with_fallback, is_silence, needs_fallback
from whisperq_edge.edge.decoding.language import Language, language_probabilities
from whisperq_edge.edge.decoding.options import DecodingOptions
from whisperq_edge.edge.decoding.result import DecodingResult, compression_ratio
from whisperq_edge.edge.decoding.tokens import Tokenizer
from whisperq_edge.edge.errors import ConfigError, ContextFullError, UnknownNameError
from whisperq_edge.edge.types import GenerationSettings
from whisperq_edge.tests.scripted_session import ScriptedSession

GENERATION = GenerationSettings(("en", "de", "fr"), (3,), (220, 50257), ())
ENGLISH_ONLY = GenerationSettings((), (3,), (220, 50257), ())
EOT, SOT, EN, DE, TRANSCRIBE, SOT_PREV = 50257, 50258, 50259, 50261, 50359, 50361
NO_SPEECH, NO_TIMESTAMPS, T0 = 50362, 50363, 50364
LIKELY = 10.0
GERMAN = Language("de")


@pytest.fixture(scope="module")
def content():
    return (files("whisperq_edge.models") / "demo" / "tokenizer.json").read_bytes()


@pytest.fixture(scope="module")
def tokenizer(content):
    return Tokenizer(content, GENERATION)


@pytest.fixture(scope="module")
def hello(tokenizer):
    return tokenizer.encode(" hello world")


def reply(*tokens):
    """A script that answers every prompt with ``tokens`` and the end of the text."""

    def script(_window, past):
        start = len(past) - past[::-1].index(SOT)
        said = [token for token in past[start:] if token < SOT or token >= T0]
        return {(*tokens, EOT)[len(said)]: LIKELY}

    return script


def decoder_of(script, tokenizer, generation=GENERATION, **options):
    session = ScriptedSession(script)
    session.encode(np.zeros((80, 3000), np.float32))
    return Decoder(session, tokenizer, generation, DecodingOptions(**options)), session


def fed(session):
    return [step.tolist() for step in session.steps]


def test_the_prompt_is_fed_up_to_the_start_and_then_at_once(tokenizer, hello):
    decoder, session = decoder_of(reply(T0, *hello, T0 + 50), tokenizer)
    result = decoder.decode(decoder.begin(GERMAN, previous=[7, 8]), 0.0)
    assert fed(session)[:2] == [[[SOT_PREV, 7, 8, SOT]], [[DE, TRANSCRIBE]]]
    assert result.tokens == (T0, *hello, T0 + 50)
    assert result.text == "hello world"
    assert (result.language, result.language_probability) == ("de", None)
    assert result.ended
    # Each token was 40 above 51864 others.
    assert result.avg_logprob == pytest.approx(0, abs=1e-4)


def test_text_alone_has_its_token_in_the_prompt(tokenizer, hello):
    decoder, session = decoder_of(reply(*hello), tokenizer, without_timestamps=True)
    result = decoder.decode(decoder.begin(GERMAN), 0.0)
    assert fed(session)[:2] == [[[SOT]], [[DE, TRANSCRIBE, NO_TIMESTAMPS]]]
    assert result.tokens == tuple(hello)


def test_an_english_only_prompt_is_one_token(content, hello):
    tokenizer = Tokenizer(content, ENGLISH_ONLY)
    decoder, session = decoder_of(reply(T0, *hello), tokenizer, ENGLISH_ONLY)
    assert decoder.detect_language() == Language("en")
    result = decoder.decode(decoder.begin(Language("en")), 0.0)
    assert fed(session)[:2] == [[[SOT]], [[T0]]]
    assert (result.language, result.text) == ("en", "hello world")


def test_a_prefix_is_continued_and_not_repeated(tokenizer, hello):
    decoder, session = decoder_of(reply(*hello), tokenizer, without_timestamps=True)
    prompted = decoder.begin(GERMAN, prefix=hello[:1])
    assert fed(session)[1][0][-1] == hello[0]
    assert decoder.decode(prompted, 0.0).tokens == tuple(hello[1:])


def test_only_half_of_the_positions_is_for_the_text_before(tokenizer):
    decoder, session = decoder_of(reply(T0), tokenizer)
    decoder.begin(GERMAN, previous=list(range(1000)))
    [first] = fed(session)[0]
    assert first == [SOT_PREV, *range(1000 - 223, 1000), SOT]


def test_a_prefix_without_end_is_refused(tokenizer):
    decoder, _ = decoder_of(reply(T0), tokenizer)
    with pytest.raises(ContextFullError, match="a prompt of 451 tokens leaves no room"):
        decoder.begin(GERMAN, prefix=[5] * 448)


def test_a_text_without_end_stops_where_the_positions_end(tokenizer):
    def script(_window, past):
        return {500 + len(past): LIKELY}  # always something new, or the loop guard would end it

    decoder, session = decoder_of(script, tokenizer, without_timestamps=True)
    result = decoder.decode(decoder.begin(GERMAN), 0.0)
    assert (len(result.tokens), result.ended) == (224, False)
    result = decoder.decode(decoder.begin(GERMAN, previous=[9] * 223), 0.0)
    assert (len(result.tokens), result.ended) == (448 - 228 + 1, False)
    assert session.n_past == 448


def test_the_checkpoints_lists_are_suppressed(tokenizer):
    def script(_window, past):
        return {3: 9.0, 220: 8.0, EOT: 7.0 if len(past) == 4 else LIKELY, 6: 6.0}

    decoder, _ = decoder_of(script, tokenizer, without_timestamps=True)
    assert decoder.decode(decoder.begin(GERMAN), 0.0).tokens == (6,)
    decoder, _ = decoder_of(script, tokenizer, without_timestamps=True, suppress_blank=False)
    assert decoder.decode(decoder.begin(GERMAN), 0.0).tokens == (220,)
    decoder, _ = decoder_of(script, tokenizer, without_timestamps=True, suppress_tokens=(6,))
    assert decoder.decode(decoder.begin(GERMAN), 0.0).tokens == (3,)


def test_the_probability_of_no_speech_is_read_after_the_start(tokenizer):
    def script(_window, past):
        if past[-1] == SOT:
            return dict.fromkeys(range(NO_SPEECH), -math.inf) | {NO_SPEECH: 1.0, T0: 1.0}
        return {NO_SPEECH: 99.0, T0: LIKELY} if len(past) < 4 else {EOT: LIKELY}

    decoder, _ = decoder_of(script, tokenizer)
    prompted = decoder.begin(GERMAN)
    assert prompted.no_speech_prob == pytest.approx(0.5, abs=1e-4)
    assert decoder.decode(prompted, 0.0).no_speech_prob == prompted.no_speech_prob


def test_the_likeliest_language_is_detected(tokenizer):
    def script(_window, past):
        assert past == (SOT,)
        return {EN: math.log(0.2), DE: math.log(0.7), 50265: math.log(0.1), 5: 50.0}

    decoder, session = decoder_of(script, tokenizer)
    language = decoder.detect_language()
    assert language.code == "de"
    assert language.probability == pytest.approx(0.7)
    assert session.n_past == 0
    assert list(language_probabilities(session, tokenizer)) == ["de", "en", "fr"]


def test_a_language_that_is_given_is_not_detected(tokenizer):
    decoder, session = decoder_of(reply(T0), tokenizer, language="German")
    assert decoder.detect_language() == Language("de")
    assert not session.steps


def test_what_the_model_cannot_do_is_refused(content, tokenizer):
    english = Tokenizer(content, ENGLISH_ONLY)
    for options, message in (
        ({"task": "translate"}, "knows English only and cannot translate"),
        ({"language": "de"}, "knows English only, not 'de'; leave language out"),
    ):
        with pytest.raises(ConfigError, match=message):
            decoder_of(reply(T0), english, ENGLISH_ONLY, **options)
    assert decoder_of(reply(T0), english, ENGLISH_ONLY, language="English")[0].language.code == "en"
    with pytest.raises(UnknownNameError, match="unknown language 'germn'; did you mean 'german'"):
        decoder_of(reply(T0), tokenizer, language="germn")


RESULT = DecodingResult((), (), "", -0.5, 0.1, 0.0, 1.0, "en", None, True)
LOOPING, UNLIKELY, SILENT = (
    {"compression_ratio": 2.5},
    {"avg_logprob": -1.1},
    {"no_speech_prob": 0.7},
)


@pytest.mark.parametrize(
    ("changes", "options", "fails", "silent"),
    [
        ({}, {}, False, False),
        (LOOPING, {}, True, False),
        (UNLIKELY, {}, True, False),
        (SILENT, {}, False, False),
        (UNLIKELY | SILENT, {}, False, True),
        (LOOPING | UNLIKELY | SILENT, {}, False, True),
        (LOOPING | SILENT, {}, True, False),
        (LOOPING, {"compression_ratio_threshold": None}, False, False),
        (UNLIKELY, {"logprob_threshold": None}, False, False),
        (UNLIKELY | SILENT, {"logprob_threshold": None}, False, True),
        (UNLIKELY | SILENT, {"no_speech_threshold": None}, True, False),
    ],
)
def test_what_is_good_enough(changes, options, fails, silent):
    result, options = replace(RESULT, **changes), DecodingOptions(**options)
    assert needs_fallback(result, options) is fails
    assert is_silence(result, options) is silent


def test_a_text_that_repeats_itself_compresses_well():
    assert compression_ratio("") == 0
    assert compression_ratio("order two coffees") < 1 < 2.4 < compression_ratio("no no " * 40)


def flat(_window, past):
    """Two tokens that are equally likely, five times: good enough for a logprob of -1."""
    return {EOT: LIKELY} if len(past) >= 9 else {5: LIKELY, 6: LIKELY}


@pytest.mark.parametrize("search", [{}, {"beam_size": 5, "best_of": 3}, {"best_of": 5}])
def test_temperatures_are_tried_until_one_is_good_enough(tokenizer, search):
    strict = {"logprob_threshold": -0.1, "without_timestamps": True, **search}
    decoder, session = decoder_of(flat, tokenizer, **strict)
    result = decode_with_fallback(decoder, decoder.begin(GERMAN))
    assert result.temperature == 1.0
    assert result.avg_logprob == pytest.approx(-math.log(2) * 5 / 6, abs=1e-4)
    # The prompt was fed once, and the window is still the one that was encoded.
    assert [len(step[0]) for step in session.steps].count(1) == len(session.steps) - 1
    assert len(session.encoded) == 1

    decoder, _ = decoder_of(flat, tokenizer, **strict | {"logprob_threshold": -1.0})
    assert decode_with_fallback(decoder, decoder.begin(GERMAN)).temperature == 0.0


def test_any_order_of_temperatures_works(tokenizer):
    """Each attempt starts from one prompt, however many hypotheses the last one left."""

    def over_at_once(_window, past):
        return {EOT: LIKELY}

    for script in (flat, over_at_once):
        decoder, _ = decoder_of(
            script, tokenizer, best_of=4, beam_size=3, patience=0.4, without_timestamps=True
        )
        prompted = decoder.begin(GERMAN)
        alone = decoder.decode(prompted, 0.0)
        for temperature in (0.5, 0.0, 0.0, 1.0, 0.5):
            result = decoder.decode(prompted, temperature)
            if temperature == 0.0:
                assert result == alone


def test_a_seed_repeats_a_decoding(tokenizer):
    def draw(seed):
        decoder, _ = decoder_of(flat, tokenizer, seed=seed, without_timestamps=True)
        prompted = decoder.begin(GERMAN)
        return [decoder.decode(prompted, 1.0).tokens for _ in range(4)]

    assert draw(0) == draw(0)
    assert draw(0) != draw(1)
    assert len(set(draw(0))) > 1
