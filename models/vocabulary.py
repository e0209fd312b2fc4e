"""Whisper's own tokenizers, made from the ranked byte strings in ``vocabulary/``.

An OpenAI ``.pt`` file has no tokenizer, so it is built here. The data holds only what each token
spells; the merges that byte pair encoding needs follow from the order of the ranks.

Source: openai/whisper ``whisper/tokenizer.py`` for the special tokens, their order and the symbols
that are not speech; ``models/vocabulary/README.md`` for the data.
"""

from __future__ import annotations

import base64
import json
from functools import cache
from importlib.resources import files
from itertools import pairwise

from tokenizers import Tokenizer

from ..edge.errors import CheckpointError
from .tokenizer_file import TIMESTAMPS, build_tokenizer

# In the order of their tokens; the last one came with large-v3.
LANGUAGES = tuple(
    "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no "
    "th ur hr bg lt la mi ml cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl "
    "mr pa si km sn yo so af oc ka be tg sd gu am yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as "
    "tt haw ln ha ba jw su yue".split()
)
END = "<|endoftext|>"

# n_vocab of every official model: the file of its text tokens and its number of language tokens.
# English-only models have the language tokens too, and never use them.
_VOCABULARIES = {
    51864: ("gpt2.tiktoken", 99),
    51865: ("multilingual.tiktoken", 99),
    51866: ("multilingual.tiktoken", 100),
}

_SYMBOLS = (
    *'"#()*+/:;<=>@[\\]^_`{|}~「」『』',
    *"<< >> <<< >>> -- --- -( -[ (' (\" (( )) ((( ))) [[ ]] {{ }} ♪♪ ♪♪♪".split(),
)
# Several tokens each in some vocabularies; their first one spells nothing but such signs.
_MUSIC = tuple("♩♪♫♬♭♮♯")


def special_tokens(n_languages: int) -> tuple[str, ...]:
    """The tokens after the text, in the order of their ids, without the timestamps."""
    tasks = ("translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps")
    names = ("startoftranscript", *LANGUAGES[:n_languages], *tasks)
    return (END, *(f"<|{name}|>" for name in names))


@cache
def official_tokenizer(n_vocab: int) -> bytes:
    """Build the ``tokenizer.json`` of the official models with this many tokens.

    Args:
        n_vocab: 51864 (English-only), 51865 (99 languages) or 51866 (100 languages).

    Raises:
        CheckpointError: No official model has that many.
    """
    if n_vocab not in _VOCABULARIES:
        raise CheckpointError(
            f"no official Whisper has {n_vocab} tokens; put the model's tokenizer.json beside it"
        )
    file, n_languages = _VOCABULARIES[n_vocab]
    ranks = _read_ranks(file)
    vocabulary = {_spell(token): rank for token, rank in ranks.items()}
    pairs = (_parts(token, ranks) for token in ranks if len(token) > 1)
    merges = [(_spell(first), _spell(second)) for first, second in pairs]
    return build_tokenizer(vocabulary, merges, (*special_tokens(n_languages), *TIMESTAMPS))


def non_speech_tokens(tokenizer: Tokenizer) -> tuple[int, ...]:
    """Ids of brackets, notes and the like, which annotate sound instead of spelling speech."""

    def encode(text: str) -> list[int]:
        return list(tokenizer.encode(text, add_special_tokens=False).ids)

    # A hyphen or an apostrophe is speech inside a word, not in front of one.
    found = {encode(" -")[0], encode(" '")[0]}
    for symbol in (*_SYMBOLS, *_MUSIC):
        for ids in (encode(symbol), encode(f" {symbol}")):
            if len(ids) == 1 or symbol in _MUSIC:
                found.add(ids[0])
    return tuple(sorted(found))


def _read_ranks(file: str) -> dict[bytes, int]:
    lines = (files(__package__) / "vocabulary" / file).read_text("ascii").splitlines()
    pairs = (line.split() for line in lines)
    return {base64.b64decode(token): int(rank) for token, rank in pairs}


def _parts(token: bytes, ranks: dict[bytes, int]) -> list[bytes]:
    """The two tokens that merge into ``token``: what the merges before its own leave of it."""
    limit = ranks[token]
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 2:
        candidates = [ranks.get(a + b, limit) for a, b in pairwise(parts)]
        first = min(range(len(candidates)), key=candidates.__getitem__)
        parts[first : first + 2] = [parts[first] + parts[first + 1]]
    return parts


@cache
def _byte_letters() -> tuple[str, ...]:
    """GPT-2's letter for each byte: itself where it is printable, else the next from U+0100."""
    printable = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1)}
    printable |= set(range(ord("®"), ord("ÿ") + 1))
    others = iter(range(256, 512))
    return tuple(chr(byte if byte in printable else next(others)) for byte in range(256))


def text_tokens(tokenizer: bytes) -> dict[bytes, int]:
    """The text tokens of a ``tokenizer.json``: the bytes that each stands for, and its id."""
    numbers = {letter: byte for byte, letter in enumerate(_byte_letters())}
    content = json.loads(tokenizer)
    special = {token["id"] for token in content["added_tokens"]}
    return {
        bytes(numbers[letter] for letter in token): index
        for token, index in content["model"]["vocab"].items()
        if index not in special
    }


def _spell(token: bytes) -> str:
    letters = _byte_letters()
    return "".join(letters[byte] for byte in token)
