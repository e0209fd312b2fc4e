"""Sound that is written to a file while it is heard."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

from ..errors import AudioError, ConfigError
from ..types import SAMPLE_RATE, Closeable, FloatArray
from .recording import load_soundfile

# libsndfile's names for what each ending means.
FORMATS = MappingProxyType(
    {".flac": ("FLAC", "PCM_16"), ".wav": ("WAV", "PCM_16"), ".ogg": ("OGG", "VORBIS")}
)
SYNC_S = 5  # a loss of power costs no more; each time wears a memory card


class SavedSound(Closeable):
    """A new sound file that grows.

    FLAC and WAV are written as the sound comes, without a buffer: a program that is killed leaves a
    file that ends less than a second before. Ogg gathers pages, a second or more of sound.

    Args:
        path: Ends in .flac, .wav or .ogg.

    Raises:
        ConfigError: It has another ending, or exists already.
        AudioError: It cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() not in FORMATS:
            raise ConfigError(f"{self.path}: sound is saved as {', '.join(FORMATS)}")
        kind, subtype = FORMATS[self.path.suffix.lower()]
        soundfile = load_soundfile()
        try:
            self.path.touch(exist_ok=False)
        except FileExistsError:
            raise ConfigError(f"{self.path} exists; name another file, or remove it") from None
        except OSError as error:
            raise AudioError(f"{self.path} cannot be written: {error.strerror}") from error
        self._error = soundfile.SoundFileError
        self._file = soundfile.SoundFile(
            self.path, "w", SAMPLE_RATE, channels=1, format=kind, subtype=subtype
        )
        self._n_unsynced = 0

    def write(self, samples: FloatArray) -> None:
        """Append samples at 16 kHz, shape (n_samples,); what is louder than 1 is clipped.

        Raises:
            AudioError: They cannot be written.
        """
        try:
            self._file.write(samples)
            self._n_unsynced += len(samples)
            if self._n_unsynced >= SYNC_S * SAMPLE_RATE:
                self._file.flush()
                self._n_unsynced = 0
        except (self._error, AssertionError) as error:  # AssertionError: written in part
            raise AudioError(f"{self.path} cannot be written; is the disk full?") from error

    def close(self) -> None:
        """Complete the file."""
        self._file.close()
