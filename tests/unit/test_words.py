"""Which tokens make up a word: as openai/whisper's tokenizer splits."""

from __future__ import annotations

from importlib.resources import files

import pytest

from whisperq_edge.edge.decoding.tokens import Tokenizer
from whisperq_edge.edge.decoding.words import split_words
from whisperq_edge.edge.types import GenerationSettings

TEXTS = {
    "en": [
        " Can I have two coffees, please?",
        ' "Well," she said -- (quietly) -- "it\'s 3.5 o\'clock..."',
        "no space before, and  two  spaces   within",
        " Zoë's naïve café",
        " hyphen-ated co-op's rock'n'roll",
        " 🎉 party 👩‍👩‍👧 time 🇩🇪! 𝔘𝔫𝔦",  # noqa: RUF001
        " ¿Qué? ¡Sí!",
        " ",
        "",
    ],
    "zh": ["我今天去了圖書館,借了三本書。", " 你好 world 鱻龘"],
    "ja": ["これは日本語のテストです。「はい」", " 𠮷野家"],
    "th": ["สวัสดีครับ ผมชื่อโจ"],
    "my": ["မင်္ဂလာပါ"],
    "ru": [" Привет, как дела?"],
}


@pytest.fixture(scope="module")
def tokenizer():
    content = (files("whisperq_edge.models") / "demo" / "tokenizer.json").read_bytes()
    return Tokenizer(content, GenerationSettings(("en",), (), (), ()))


# openai-whisper leaves its vocabulary file to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.parametrize(
    ("language", "text"), [(code, text) for code, texts in TEXTS.items() for text in texts]
)
def test_words_are_openais(tokenizer, language, text):
    oracle = pytest.importorskip("whisper.tokenizer", reason="the oracle is openai-whisper")
    theirs = oracle.get_tokenizer(True, num_languages=99, language=language)
    tokens = theirs.encode(text)
    assert tokenizer.encode(text) == tokens
    words, word_tokens = theirs.split_to_word_tokens([*tokens, theirs.eot])
    found = split_words(tokens, tokenizer, language)
    assert [word for word, _ in found] == words[:-1]
    assert [list(ids) for _, ids in found] == word_tokens[:-1]


def test_a_language_without_spaces_is_split_at_characters(tokenizer):
    tokens = tokenizer.encode("鱻龘好")
    assert len(tokens) > 3
    assert [word for word, _ in split_words(tokens, tokenizer, "zh")] == ["鱻", "龘", "好"]
    assert [word for word, _ in split_words(tokens, tokenizer, "en")] == ["鱻龘好"]


@pytest.mark.parametrize("n_cut", [1, 2])
def test_a_character_that_is_cut_off_loses_no_token(tokenizer, n_cut):
    whole = tokenizer.encode(" yes 鱻")
    for tokens in (whole[:-n_cut], [*whole[:-n_cut], *tokenizer.encode(" no sir")]):
        for language in ("en", "zh"):
            found = split_words(tokens, tokenizer, language)
            assert [token for _, ids in found for token in ids] == tokens
            assert "".join(word for word, _ in found) == tokenizer.decode(tokens)
        assert found[0].word == " yes"
    assert [word for word, _ in split_words(tokens, tokenizer, "en")][-2:] == [" no", " sir"]
