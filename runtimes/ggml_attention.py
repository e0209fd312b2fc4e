"""What whisper.cpp keeps to itself, computed by the NumPy reference on the file's own weights.

whisper.cpp shows no cross-attention. Word times, and the policy that decides by attention how much
of a stream is certain, need it: so it is computed again, where it is asked for and not before.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..edge.artifact import Manifest
from ..edge.errors import ArtifactError
from ..edge.types import FloatArray, IntArray
from ..models.ggml_file import GgmlFile
from .run_reference import ReferenceSession


def check_file(path: Path, manifest: Manifest) -> None:
    """Refuse a file that whisper.cpp would believe to its harm.

    Raises:
        ArtifactError: Its structure is damaged, or it is of another model than the manifest says.
    """
    file = GgmlFile.read(path)
    file.check()
    if file.dimensions != manifest.dimensions:
        raise ArtifactError(f"{path} is of {file.dimensions}, its manifest says otherwise")


class GgmlAttention:
    """The cross-attention of one window, for whatever text is asked for.

    Args:
        path: Of the artifact's file.
        manifest: Of the artifact.
        mel: What was encoded.
    """

    def __init__(self, path: Path, manifest: Manifest) -> None:
        parameters = GgmlFile.read(path).parameters()
        # In floats: to round as whisper.cpp does takes up to five times as long, and what it would
        # change is less than what the rounding itself does to the attention.
        self._session = ReferenceSession(parameters, manifest.dimensions, manifest.generation)
        self._rows = np.zeros((1, 0), np.int64)  # the texts in the session's cache

    def encode(self, mel: FloatArray) -> None:
        """Take another window."""
        self._session.encode(mel)
        self._rows = np.zeros((1, 0), np.int64)

    def of(self, rows: IntArray, n_last: int) -> FloatArray:
        """The attention of each text's last tokens.

        Args:
            rows: The texts, shape (n_hypotheses, n_tokens).
            n_last: How many of the tokens are asked for.

        Returns:
            Shape (n_hypotheses, n_alignment_heads, n_last, n_positions).
        """
        n_before = rows.shape[1] - n_last
        sources, n_kept = _shared(self._rows, rows[:, :n_before])
        self._session.reorder(sources)
        self._session.rewind(n_kept)
        if n_kept < n_before:
            self._session.step(rows[:, n_kept:n_before])
        self._session.step(rows[:, n_before:])
        self._rows = rows.copy()
        return self._session.alignment


def _shared(cached: IntArray, wanted: IntArray) -> tuple[IntArray, int]:
    """Which cached text to go on from for each that is wanted, and how many tokens all share.

    The hypotheses of a session are equally long, so the one that shares least decides.
    """
    length = min(cached.shape[1], wanted.shape[1])
    same = cached[None, :, :length] == wanted[:, None, :length]
    shared = np.logical_and.accumulate(same, axis=2).sum(2)  # (n_wanted, n_cached)
    return shared.argmax(1), int(shared.max(1).min())
