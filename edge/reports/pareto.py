"""What nothing else beats in both of two figures."""

from __future__ import annotations

from collections.abc import Sequence


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """The points that no other is at least as good as in both figures, and better in one.

    Args:
        points: Less is better in both.

    Returns:
        Their indices, by rising first figure. Of equal points, all.
    """
    front: list[int] = []
    best, best_at = float("inf"), float("nan")
    for index in sorted(range(len(points)), key=lambda index: points[index]):
        x, y = points[index]
        if y < best or (y == best and x == best_at):
            front.append(index)
            best, best_at = y, x
    return front
