"""Files that are there as a whole, or as they were before."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from ..errors import WhisperqError


def write_whole(content: bytes, path: Path) -> None:
    """Write a file, whole or not at all.

    Args:
        content: All of it.
        path: The file; its folder is made if it is missing.

    Raises:
        WhisperqError: The disk refuses.
    """
    temporary = path.with_name(f".whisperq-{secrets.token_hex(8)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())  # a board is often switched off by its plug
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise WhisperqError(f"cannot write {path}: {error.strerror}") from error
