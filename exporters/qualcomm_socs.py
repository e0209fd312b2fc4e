"""Qualcomm's systems on a chip that context binaries can be made for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Soc(NamedTuple):
    """One chip.

    Attributes:
        model: Its number in Qualcomm's AI Engine Direct.
        hexagon: The generation of its neural processor: 73 for V73.
    """

    model: int
    hexagon: int


# Sources: QnnHtpDevice's list of SoC models as PyTorch's ExecuTorch (qc_schema.py) gives it.
SOCS: Mapping[str, Soc] = {
    "SM8350": Soc(30, 68),  # Snapdragon 888
    "SM8450": Soc(36, 69),  # Snapdragon 8 Gen 1
    "SM8475": Soc(42, 69),  # Snapdragon 8+ Gen 1
    "SM8550": Soc(43, 73),  # Snapdragon 8 Gen 2
    "SM8650": Soc(57, 75),  # Snapdragon 8 Gen 3
    "SM8750": Soc(69, 79),  # Snapdragon 8 Elite
    "SC8280XP": Soc(37, 68),  # Snapdragon 8cx Gen 3
    "SC8380XP": Soc(60, 73),  # Snapdragon X Elite
}
# On the simulator its 16-bit results are off by more than they are right: 4.5 dB.
WITHOUT_A16 = 69
