"""A stream of sound from its first sample to its last word."""

from __future__ import annotations

from collections.abc import Iterator

from ..audio.saved_sound import SavedSound
from ..audio.sound_stream import SoundStream
from ..errors import AudioError
from .events import Event
from .meter import Transcribes


def run_live(
    streamer: Transcribes, sound: SoundStream, saved: SavedSound | None = None
) -> Iterator[Event]:
    """Feed a streamer until the sound ends, and let it finish.

    Args:
        streamer: Or what measures one. Told how much sound waits, so that it can save work.
        sound: A microphone, a pipe or a recording; ``UntilInterrupted`` lets Ctrl-C end it.
        saved: Where the sound is kept.

    Yields:
        Every event, as soon as it is known.

    Raises:
        AudioError: The sound failed; what was heard until then is committed first.
        InferenceError: The runtime failed.
    """
    failure = None
    try:
        while (samples := sound.read()) is not None:
            if saved is not None:
                saved.write(samples)
            yield from streamer.feed(samples, behind_s=sound.waiting_s)
    except AudioError as error:
        failure = error
    yield from streamer.finish()
    if failure is not None:
        raise failure
