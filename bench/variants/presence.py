"""Which programs can be had on this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import prepare
from contenders import Contender
from environments import WORK

ALSA = Path("/usr/include/alsa/asoundlib.h")  # pyalsaaudio is compiled with it


class HasContender(Protocol):
    """A setup of any benchmark."""

    @property
    def contender(self) -> Contender:
        """What runs."""


SetupT = TypeVar("SetupT", bound=HasContender)


def present(setups: Sequence[SetupT], report: Callable[[str], None]) -> list[SetupT]:
    """The setups whose program is there, or installs; of the others, one line tells why not."""
    reasons = {
        name: absence(c) for name, c in {s.contender.name: s.contender for s in setups}.items()
    }
    for name, reason in reasons.items():
        if reason:
            report(f"{name} is left out: {reason}")
    return [setup for setup in setups if not reasons[setup.contender.name]]


def absence(contender: Contender) -> str | None:
    """Why a program cannot be measured here; None if it can."""
    is_installed = (WORK / f"venv-{contender.environment}" / "requirements.txt").exists()
    if contender.module == "whisper_streaming_peer" and not (is_installed or ALSA.exists()):
        return "it needs a compiler and ALSA's headers: apt-get install libasound2-dev"
    if reason := prepare.absence(contender):
        return reason
    try:
        prepare.python_of(contender)
    except SystemExit as failure:  # it does not install
        return str(failure)
    return None
