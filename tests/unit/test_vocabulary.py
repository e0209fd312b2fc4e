import json
import warnings

import pytest
from tokenizers import Tokenizer

from whisperq_edge.edge.errors import CheckpointError
from whisperq_edge.models.tokenizer_file import compact, read_tokenizer
from whisperq_edge.models.vocabulary import (
    LANGUAGES,
    non_speech_tokens,
    official_tokenizer,
    special_tokens,
)

KINDS = {51864: (False, 99), 51865: (True, 99), 51866: (True, 100)}
TEXTS = [
    "Hello, world! It's 9:30; they've said: don't.",
    "  two  spaces,\ttab\nand\n\nlines  ",
    "Grüße aus Köln — naïve café, señor",
    "你好世界。今天天气很好",
    "日本語のテキスト、カタカナ",
    "Привет, как дела?",
    "مرحبا بالعالم",
    "नमस्ते दुनिया",
    "안녕하세요 세계",
    "สวัสดีชาวโลก",
    "🎵 emoji 👩‍👩‍👧‍👦 and ♪♪♪ [noise] (laughs)",
    "x" * 300 + " 12345678901234567890",
    "",
]


@pytest.fixture(params=sorted(KINDS))
def n_vocab(request):
    return request.param


def load(n_vocab):
    return Tokenizer.from_str(official_tokenizer(n_vocab).decode())


@pytest.fixture
def oracle(n_vocab):
    module = pytest.importorskip("whisper.tokenizer", reason="openai-whisper is the oracle")
    multilingual, n_languages = KINDS[n_vocab]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves its file open
        return module.get_tokenizer(multilingual, num_languages=n_languages)


def test_text_is_encoded_and_decoded_as_by_openai(n_vocab, oracle):
    tokenizer = load(n_vocab)
    for text in TEXTS:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        assert ids == oracle.encode(text), text
        assert tokenizer.decode(ids) == text


def test_every_id_spells_what_openai_s_does(n_vocab, oracle):
    tokenizer = load(n_vocab)
    assert tokenizer.get_vocab_size() == n_vocab == oracle.encoding.n_vocab
    assert {
        name: tokenizer.token_to_id(name) for name in oracle.special_tokens
    } == oracle.special_tokens
    for token in range(0, oracle.eot, 7):
        assert tokenizer.decode([token]) == oracle.encoding.decode([token])


def test_the_tokens_that_are_not_speech_are_openai_s(n_vocab, oracle):
    assert non_speech_tokens(load(n_vocab)) == oracle.non_speech_tokens


def test_the_languages_are_openai_s():
    module = pytest.importorskip("whisper.tokenizer", reason="openai-whisper is the oracle")
    assert list(module.LANGUAGES) == list(LANGUAGES)


def test_special_tokens_follow_the_text(n_vocab):
    tokenizer = load(n_vocab)
    special = special_tokens(KINDS[n_vocab][1])
    start = tokenizer.token_to_id("<|endoftext|>")
    assert [tokenizer.token_to_id(name) for name in special] == list(
        range(start, start + len(special))
    )
    assert tokenizer.token_to_id("<|30.00|>") == n_vocab - 1
    # As in Hugging Face's files, timestamps survive decoding without special tokens.
    ids = [start, n_vocab - 1]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "<|30.00|>"


def test_there_is_no_official_tokenizer_of_another_size():
    with pytest.raises(CheckpointError, match="no official Whisper has 50000 tokens"):
        official_tokenizer(50000)


def test_compact_changes_no_token():
    official = official_tokenizer(51865)
    wordy = json.dumps(json.loads(Tokenizer.from_str(official.decode()).to_str()), indent=2)
    assert compact(wordy.encode()) == official
    assert len(official) < 1_700_000


def test_the_old_name_of_no_speech_becomes_the_new_one():
    old = official_tokenizer(51865).replace(b"<|nospeech|>", b"<|nocaptions|>")
    assert compact(old) == official_tokenizer(51865)


def test_a_folder_without_timestamps_gets_them(tmp_path):
    content = json.loads(official_tokenizer(51865))
    content["added_tokens"] = content["added_tokens"][:-1501]
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    assert read_tokenizer(tmp_path, 51865) == official_tokenizer(51865)


def test_a_folder_with_a_slow_tokenizer_s_files_gets_a_fast_one(tmp_path):
    content = json.loads(official_tokenizer(51865))
    vocabulary = content["model"]["vocab"] | {"<|endoftext|>": 50257}  # as the Hub's files have it
    merges = ["#version: 0.2", *content["model"]["merges"]]
    added = {token["content"]: token["id"] for token in content["added_tokens"][1:]}
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary))
    (tmp_path / "merges.txt").write_text("\n".join(merges) + "\n", "utf-8")
    (tmp_path / "added_tokens.json").write_text(json.dumps(added))
    assert read_tokenizer(tmp_path, 51865) == official_tokenizer(51865)


def test_a_folder_without_a_tokenizer_has_none(tmp_path):
    assert read_tokenizer(tmp_path, 51865) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is not a tokenizer"),
        (b"{}", "is not a tokenizer"),
        (b"\xff\xfe", "is not a tokenizer"),
        (official_tokenizer(51866), "has 51866 tokens, but config.json says 51865"),
    ],
)
def test_a_broken_tokenizer_is_refused(tmp_path, content, message):
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=message) as caught:
        read_tokenizer(tmp_path, 51865)
    assert "\n" not in str(caught.value)
