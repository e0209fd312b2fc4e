"""The artifact that is measured, open and ready to transcribe as a user would let it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ... import __version__
from ...runtimes import open_session
from ...runtimes.openvino_cache import cache_folder
from ..artifact import MANIFEST, TOKENIZER, Artifact, sha256
from ..decoding.tokens import Tokenizer
from ..errors import ArtifactError
from ..transcription.options import TranscriptionOptions
from ..transcription.transcriber import Transcriber
from ..types import Closeable, FloatArray
from .job import Job
from .record import Pass, Phase
from .staged_session import StagedSession, StagedSource, Watch, unwatched
from .stages import StageTimes

# Nothing is drawn by chance, so that every configuration does the same kind of work.
OPTIONS = TranscriptionOptions(language="en", temperature=(0.0,))


class Subject(Closeable):
    """One configuration, loaded.

    Args:
        job: Says which.

    Attributes:
        is_cached: Whether the library found what it had kept of an earlier start.

    Raises:
        ArtifactError: The artifact is gone, or is another by now.
        WhisperqError: It cannot be opened.
    """

    def __init__(self, job: Job) -> None:
        folder = Path(job.folder)
        artifact = Artifact.read(folder)
        if sha256(folder / MANIFEST) != job.digest:
            raise ArtifactError(f"{folder} was exported anew while it was profiled")
        keeps = cache_folder(folder) if artifact.manifest.target == "openvino" else None
        before = _names(keeps)
        self.session = open_session(artifact, job.threads, device=job.device, provider=job.provider)
        self.is_cached = bool(before) and _names(keeps) == before
        self._generation = artifact.manifest.generation
        self._tokenizer = Tokenizer.read(folder / TOKENIZER, self._generation)

    def transcribe(self, samples: FloatArray, watch: Watch = unwatched) -> str:
        """The text of a recording, its stages watched."""
        return self._transcribe(StagedSource(samples, lambda: None), watch)

    def timed(self, clip: str, samples: FloatArray, phase: Phase) -> tuple[Pass, str]:
        """Transcribe a clip: how long each stage took, and the text.

        What is known only from outside, such as the clock, is still None.
        """
        times = StageTimes()
        text = self._transcribe(StagedSource(samples, times.mark), times.watch)
        stages = times.finish()
        return Pass(clip, phase, stages, times.n_tokens, None, None, None), text

    def _transcribe(self, source: StagedSource, watch: Watch) -> str:
        session = StagedSession(self.session, watch)
        transcriber = Transcriber(session, self._tokenizer, self._generation)
        return transcriber.transcribe(source, OPTIONS).text.strip()

    @property
    def tools(self) -> dict[str, str]:
        """Versions of what ran it."""
        facts = self.session.facts
        return {
            "whisperq-edge": __version__,
            "numpy": _version("numpy"),
            facts.runtime: facts.version,
        }

    def close(self) -> None:
        """Free the session."""
        self.session.close()


def _names(folder: Path | None) -> set[str]:
    return set() if folder is None else {path.name for path in folder.iterdir()}


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"
