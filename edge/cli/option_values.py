"""Option values that the command line writes in openai/whisper's way."""

from __future__ import annotations

from ..errors import ConfigError

HOTTEST = 1.0
LONGEST_WINDOW_S = 30
POSITIONS_PER_SECOND = 50  # as in edge/types.py, which would load NumPy


def optional_number(text: str | float) -> float | None:
    """A number (a default is one already), or None for ``none``, which turns the option off.

    Raises:
        ValueError: It is neither.
    """
    return None if str(text).lower() == "none" else float(text)


def temperatures(first: float, increment: float | None) -> tuple[float, ...]:
    """The temperatures to try, from ``first`` up to 1 in steps of ``increment``.

    Raises:
        ConfigError: The steps lead nowhere.
    """
    if increment is None:
        return (first,)
    if increment <= 0:
        raise ConfigError(
            f"--temperature-increment-on-fallback must be above 0 or None, it is {increment:g}"
        )
    n_steps = int((HOTTEST - first) / increment + 1e-6)
    return (first, *(round(first + step * increment, 6) for step in range(1, n_steps + 1)))


def window_lengths(text: str | None) -> tuple[int, ...]:
    """Encoder positions of windows in seconds with commas between, ascending.

    Raises:
        ConfigError: Something between the commas is not a length within 30 s.
    """
    if text is None:
        return ()
    try:
        seconds = sorted({float(word) for word in text.split(",")})
    except ValueError:
        seconds = [0.0]
    if not all(0 < length <= LONGEST_WINDOW_S for length in seconds):
        raise ConfigError(f"--windows takes seconds up to 30, such as 5,10,30, not '{text}'")
    return tuple(round(length * POSITIONS_PER_SECOND) for length in seconds)


def token_ids(text: str) -> tuple[int, ...]:
    """Ids from a list with commas; an empty one is empty.

    Raises:
        ConfigError: Something between the commas is not a whole number.
    """
    try:
        return tuple(int(word) for word in text.split(",") if word.strip())
    except ValueError:
        raise ConfigError(f"--suppress-tokens takes ids such as 1,2,3, not '{text}'") from None
