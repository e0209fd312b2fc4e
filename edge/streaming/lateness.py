"""How far a text lags behind its sound."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean


def average_lagging(delays: Sequence[float], source: float, n_reference: int) -> float:
    """Length-adaptive average lagging (LAAL) of one stretch of sound.

    How much later each word comes than if the words were spread evenly over the sound and none
    came late. With delays ``d_i`` of the text's words, the sound's length ``|X|``, the words of the
    text ``|Y|`` and of the reference ``|Y*|``::

        LAAL = 1/tau * sum over i = 1..tau of  d_i - (i - 1) * |X| / max(|Y|, |Y*|)

    where ``tau`` is the first word that comes when the sound is over (``d_i >= |X|``), or the last
    word if none does. Those behind it could not come any earlier. The larger of the two lengths
    sets the pace, so that a text with too many words gains nothing by them.

    Source: Papi et al. 2022 (arXiv 2206.05807), Polak et al. 2022 (arXiv 2204.06028); for sound in
    place of source words Ma et al. 2020 (arXiv 2011.02048), and SimulEval's implementation.

    Args:
        delays: When each word came, from the start of the sound; at least one.
        source: Length of the sound, in the same unit, above 0.
        n_reference: Words of the reference, or of the text where there is none.
    """
    pace = source / max(len(delays), n_reference)
    lags: list[float] = []
    for index, delay in enumerate(delays):
        lags.append(delay - index * pace)
        if delay >= source:
            break
    return fmean(lags)


def stream_lagging(
    times: Sequence[Sequence[float]],
    segments: Sequence[tuple[float, float]],
    n_references: Sequence[int],
) -> float | None:
    """StreamLAAL: the mean LAAL of the reference's segments.

    A segment's delays are counted from its own start; a word that came before it, because an error
    put it there, has none. A segment without any words of the text is left out, as in the authors'
    own program: it shows in the word error rate.

    Source: Papi et al. 2024 (arXiv 2406.06097).

    Args:
        times: For each segment when the words of the text that fell to it came, in seconds of the
            stream.
        segments: Start and end of each, likewise.
        n_references: Words of each in the reference.

    Returns:
        None if no segment has words of the text.
    """
    laggings = [
        average_lagging([max(0.0, time - start) for time in come], end - start, n_reference)
        for come, (start, end), n_reference in zip(times, segments, n_references, strict=True)
        if come
    ]
    return fmean(laggings) if laggings else None
