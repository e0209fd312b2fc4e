"""The tokenizer of a checkpoint folder, in whichever of its forms it is there.

Every checkpoint gets one complete, compact ``tokenizer.json`` from here, because that file is
shipped in each artifact.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from ..edge.errors import CheckpointError

N_TIMESTAMPS = 1501  # 0.00 s to 30.00 s in steps of 20 ms
TIMESTAMPS = tuple(f"<|{index * 0.02:.2f}|>" for index in range(N_TIMESTAMPS))
_OLD_NAMES = {"<|nocaptions|>": "<|nospeech|>"}


def build_tokenizer(
    vocabulary: dict[str, int], merges: list[tuple[str, str]], added: tuple[str, ...]
) -> bytes:
    """Make a compact ``tokenizer.json`` from byte-level text tokens.

    Args:
        vocabulary: Ids of the text tokens, which are spelt in GPT-2's byte letters.
        merges: Pairs of tokens, the most urgent first.
        added: Special tokens and timestamps, which take the next ids.
    """
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    times = set(TIMESTAMPS)
    tokenizer.add_tokens(
        [AddedToken(name, normalized=False, special=name not in times) for name in added]
    )
    return compact(tokenizer.to_str().encode())


def compact(tokenizer: bytes) -> bytes:
    """The same ``tokenizer.json`` in less than half the bytes: no spaces, merges as ``"a b"``."""
    return _write(json.loads(tokenizer))


def _write(content: dict[str, Any]) -> bytes:
    merges = content["model"].get("merges", [])
    # Byte letters contain no space, so the joined form has one meaning.
    content["model"]["merges"] = [m if isinstance(m, str) else " ".join(m) for m in merges]
    for token in content["added_tokens"]:
        token["content"] = _OLD_NAMES.get(token["content"], token["content"])
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def read_tokenizer(folder: Path, n_vocab: int) -> bytes | None:
    """The folder's tokenizer; None if it has none.

    Folders that were saved with a slow tokenizer have ``vocab.json`` and ``merges.txt`` instead
    of ``tokenizer.json``, and those from before 2023 lack the timestamp tokens.

    Args:
        folder: A checkpoint in Hugging Face's layout.
        n_vocab: Rows of the token embedding.

    Raises:
        CheckpointError: A file is corrupt, or has more tokens than the model.
    """
    path = folder / "tokenizer.json"
    try:
        if path.is_file():
            content: dict[str, Any] = json.loads(path.read_bytes())
        elif (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
            path = folder / "vocab.json"
            content = json.loads(_from_parts(folder))
        else:
            return None
        n_tokens = _add_timestamps(content, n_vocab)
        tokenizer = _write(content)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    except Exception as error:  # whatever a file of another form leads to
        raise CheckpointError(f"{path} is not a tokenizer: {error}") from error
    if n_tokens > n_vocab:
        raise CheckpointError(f"{path} has {n_tokens} tokens, but config.json says {n_vocab}")
    return tokenizer


def _from_parts(folder: Path) -> bytes:
    vocabulary: dict[str, int] = json.loads((folder / "vocab.json").read_bytes())
    lines = (folder / "merges.txt").read_text("utf-8").splitlines()
    pairs = (line.split(" ") for line in lines if line and not line.startswith("#version"))
    merges = [(first, second) for first, second in pairs]
    added: dict[str, int] = {}
    if (folder / "added_tokens.json").is_file():
        added = json.loads((folder / "added_tokens.json").read_bytes())
    # Some files list <|endoftext|> among the text; byte pair encoding must not see it there.
    added |= {name: token for name, token in vocabulary.items() if _is_special(name)}
    text = {name: token for name, token in vocabulary.items() if name not in added}
    if sorted(added.values()) != list(range(len(text), len(text) + len(added))):
        raise ValueError("the ids in added_tokens.json do not follow those of vocab.json")
    return build_tokenizer(text, merges, tuple(sorted(added, key=added.__getitem__)))


def _is_special(name: str) -> bool:
    return name.startswith("<|") and name.endswith("|>") and len(name) > len("<||>")


def _add_timestamps(content: dict[str, Any], n_vocab: int) -> int:
    """Add the timestamps if they are missing; the number of tokens with them."""
    added: list[dict[str, Any]] = content["added_tokens"]
    text: dict[str, int] = content["model"]["vocab"]
    ids: list[int] = [*text.values(), *(token["id"] for token in added)]
    n_tokens = max(ids) + 1
    if any(token["content"] == TIMESTAMPS[0] for token in added):
        return n_tokens
    if n_tokens + N_TIMESTAMPS > n_vocab:
        raise ValueError(f"it has no timestamps, and no room for them in {n_vocab} tokens")
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
    added += [{"id": n_tokens + i, "content": name, **flags} for i, name in enumerate(TIMESTAMPS)]
    return n_tokens + N_TIMESTAMPS
