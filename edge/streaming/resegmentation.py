"""Which words of a stream belong to which segment of its reference."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise

from ..transcription.word_errors import Match


def resegment(matches: Iterable[Match], n_references: Sequence[int]) -> list[tuple[int, int]]:
    """Split a text where the segments of its reference end.

    Source: Matusov et al. 2005, "Evaluating machine translation output with automatic sentence
    segmentation" (mWERSegmenter): the text is cut as the alignment of the fewest edits says.

    Args:
        matches: The alignment of the text with all segments joined.
        n_references: Words of each segment.

    Returns:
        From where to where in the text's words, for each segment. Words between two segments that
        stand for nothing in the reference fall to the one before.
    """
    ends = list(accumulate(n_references))
    cuts, n_text = [0], 0
    for match in matches:
        (_, reference_end), (start, n_text) = match.reference, match.text
        while len(cuts) < len(ends) and reference_end > ends[len(cuts) - 1]:
            # Within a match words stand for each other one by one, unless one side is empty.
            place = start + ends[len(cuts) - 1] - match.reference[0]
            cuts.append(min(place, n_text))
    cuts += [n_text] * (len(ends) + 1 - len(cuts))
    return list(pairwise(cuts))
