"""Word error rate."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import MissingDependencyError


def word_error_rate(truths: Sequence[str], texts: Sequence[str]) -> float:
    """Substituted, deleted and inserted words per word of the truth, over all texts together.

    Case and punctuation do not count.

    Args:
        truths: What was said; at least one word in each.
        texts: What was recognized.
    """
    try:
        import jiwer
    except ModuleNotFoundError:
        raise MissingDependencyError("jiwer", "onnx", "measuring word error rates") from None
    rate: float = jiwer.wer([_plain(text) for text in truths], [_plain(text) for text in texts])
    return rate


def _plain(text: str) -> str:
    # jiwer has transformations for this, which look through the whole of Unicode on each call.
    return re.sub(r"[^\w\s']", "", text.lower())
