"""An utterance that could not be transcribed."""

from __future__ import annotations

import msgspec


class Failure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is told of it in place of a result; it is not recorded, so the next run tries again.

    Attributes:
        key: Of the result that is missing, see ``result_key``.
        id: Of the utterance.
        reason: In one line.
        exit_code: Of the error, see ``edge/errors.py``.
    """

    key: str
    id: str
    reason: str
    exit_code: int
