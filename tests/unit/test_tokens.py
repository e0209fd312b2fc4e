"""The tokenizer, against openai/whisper's in all three vocabularies."""

from __future__ import annotations

import json

import pytest

from whisperq_edge.edge.decoding.languages import LANGUAGE_NAMES, language_code
from whisperq_edge.edge.decoding.tokens import Tokenizer
from whisperq_edge.edge.errors import ArtifactError, UnknownNameError
from whisperq_edge.edge.types import GenerationSettings
from whisperq_edge.models.vocabulary import LANGUAGES, official_tokenizer

# openai-whisper leaves its vocabulary file to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")

ENGLISH_ONLY, MULTILINGUAL, WITH_CANTONESE = 51864, 51865, 51866
N_LANGUAGES = {ENGLISH_ONLY: 0, MULTILINGUAL: 99, WITH_CANTONESE: 100}
TEXTS = ["", " hello world", "Grüße, 你好!\n", "2 coffees — 3 €", "🦜 tail"]


def make_tokenizer(n_vocab, content=None):
    languages = LANGUAGES[: N_LANGUAGES[n_vocab]]
    generation = GenerationSettings(languages, (), (), ())
    return Tokenizer(content or official_tokenizer(n_vocab), generation)


@pytest.fixture(scope="module", params=N_LANGUAGES)
def n_vocab(request):
    return request.param


@pytest.fixture(scope="module")
def tokenizer(n_vocab):
    return make_tokenizer(n_vocab)


@pytest.fixture(scope="module")
def theirs(n_vocab):
    whisper = pytest.importorskip("whisper.tokenizer", reason="the oracle is openai-whisper")
    multilingual = n_vocab != ENGLISH_ONLY
    return whisper.get_tokenizer(
        multilingual,
        num_languages=max(99, N_LANGUAGES[n_vocab]),
        language="de" if multilingual else None,
        task="translate" if multilingual else None,
    )


def test_special_tokens_are_openais(tokenizer, theirs):
    for name in ("eot", "sot", "sot_prev", "no_speech", "no_timestamps", "timestamp_begin"):
        assert getattr(tokenizer, name) == getattr(theirs, name), name
    assert set(tokenizer.control_tokens) == {
        theirs.sot,
        theirs.sot_prev,
        theirs.sot_lm,
        theirs.no_speech,
        theirs.transcribe,
        theirs.translate,
    }


def test_languages_are_openais(tokenizer, theirs):
    if tokenizer.is_multilingual:
        codes, tokens = theirs.all_language_codes, theirs.all_language_tokens
        assert tokenizer.language_tokens == dict(zip(codes, tokens, strict=True))


def test_start_sequences_are_openais(tokenizer, theirs):
    start = tokenizer.start_sequence("translate", "de", without_timestamps=False)
    assert tuple(start) == theirs.sot_sequence
    text_only = tokenizer.start_sequence("translate", "de", without_timestamps=True)
    assert tuple(text_only) == theirs.sot_sequence_including_notimestamps


@pytest.mark.parametrize("text", TEXTS)
def test_text_is_encoded_as_openai_does_and_comes_back(tokenizer, theirs, text):
    tokens = tokenizer.encode(text)
    assert tokens == theirs.encode(text)
    assert tokenizer.decode(tokens) == text


def test_timestamps_and_special_tokens_are_no_text(tokenizer):
    begin = tokenizer.timestamp_begin
    tokens = [tokenizer.sot, begin, *tokenizer.encode(" hello"), begin + 54, tokenizer.eot]
    assert tokenizer.decode(tokens) == " hello"
    assert tokenizer.decode_with_timestamps(tokens) == "<|0.00|> hello<|1.08|>"


def test_an_unfinished_character_is_replaced(tokenizer):
    tokens = tokenizer.encode("🦜")
    assert "\ufffd" in tokenizer.decode(tokens[:1])


def test_special_tokens_in_a_prompt_are_not_obeyed(tokenizer):
    assert tokenizer.encode("a<|endoftext|>b<|0.00|>") == tokenizer.encode("a") + tokenizer.encode(
        "b"
    )


def test_only_the_last_of_the_text_before_is_kept(tokenizer):
    assert tokenizer.previous_sequence([1, 2, 3], 2) == [tokenizer.sot_prev, 2, 3]
    assert tokenizer.previous_sequence([], 2) == []


def test_nocaptions_is_the_older_name_of_nospeech():
    content = official_tokenizer(ENGLISH_ONLY).replace(b"<|nospeech|>", b"<|nocaptions|>")
    renamed = make_tokenizer(ENGLISH_ONLY, content)
    assert renamed.no_speech == make_tokenizer(ENGLISH_ONLY).no_speech


def test_timestamps_need_no_entries():
    content = json.loads(official_tokenizer(ENGLISH_ONLY))
    content["added_tokens"] = [t for t in content["added_tokens"] if "." not in t["content"]]
    tokenizer = make_tokenizer(ENGLISH_ONLY, json.dumps(content).encode())
    assert tokenizer.timestamp_begin == 50363
    assert tokenizer.decode_with_timestamps([50363 + 1500]) == "<|30.00|>"


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"model": 3}'])
def test_what_is_no_tokenizer_is_refused(content):
    with pytest.raises(ArtifactError, match="tokenizer"):
        Tokenizer(content, GenerationSettings((), (), (), ()))


def test_a_tokenizer_of_something_else_is_refused():
    content = official_tokenizer(ENGLISH_ONLY).replace(b"<|startofprev|>", b"<|startofnext|>")
    with pytest.raises(ArtifactError, match=r"no <\|startofprev\|>"):
        make_tokenizer(ENGLISH_ONLY, content)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ArtifactError, match=r"tokenizer\.json cannot be read: No such file"):
        Tokenizer.read(tmp_path / "tokenizer.json", GenerationSettings((), (), (), ()))


def test_every_language_has_a_name():
    assert set(LANGUAGE_NAMES) == set(LANGUAGES)


@pytest.mark.parametrize("name", ["de", "DE", "German", " german "])
def test_a_language_is_found_by_code_and_name(name):
    assert language_code(name, LANGUAGES) == "de"


def test_languages_are_named_as_openai_does():
    theirs = pytest.importorskip("whisper.tokenizer", reason="the oracle is openai-whisper")
    assert theirs.LANGUAGES == LANGUAGE_NAMES
    for name, code in theirs.TO_LANGUAGE_CODE.items():
        assert language_code(name, LANGUAGES) == code


@pytest.mark.parametrize(
    ("name", "hint"), [("germn", "did you mean 'german'"), ("ge", "did you mean 'ne'|known: ")]
)
def test_an_unknown_language_is_refused_with_a_hint(name, hint):
    with pytest.raises(UnknownNameError, match=f"unknown language '{name}'; .*({hint})"):
        language_code(name, LANGUAGES)


def test_a_language_that_the_model_lacks_is_unknown():
    with pytest.raises(UnknownNameError, match="unknown language 'cantonese'"):
        language_code("cantonese", LANGUAGES[:99])
