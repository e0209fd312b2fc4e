"""Sound files that were inside of something else, written out once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from platformdirs import user_cache_path

from ..profiling.whole_file import write_whole

CACHE_VARIABLE = "WHISPERQ_EDGE_CACHE"


def keep_sound(content: bytes, suffix: str) -> Path:
    """The file with this content, in the cache under its digest.

    Args:
        content: A whole sound file.
        suffix: Of its name, such as ".flac"; may be empty.

    Raises:
        WhisperqError: The disk refuses.
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    cache = Path(chosen) if chosen else user_cache_path("whisperq-edge")
    digest = hashlib.sha256(content).hexdigest()
    path = (cache / "sound" / digest[:2] / f"{digest}{suffix}").absolute()
    if not path.is_file() or path.stat().st_size != len(content):
        write_whole(content, path)
    return path
