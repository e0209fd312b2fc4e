"""One run of ``listen`` or ``stream``: a model, a sound, and where its events go."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .artifact_input import open_artifact
from .event_output import event_output
from .report_output import given_reference, print_report
from .screen import Screen
from .stream_options import ModelOptions, OutputOptions, StreamOptions

if TYPE_CHECKING:
    from ..artifact import Artifact
    from ..audio.sound_stream import SoundStream
    from ..streaming.options import StreamingOptions
    from ..streaming.resumption import Past
    from ..transcription.word_errors import Unit
    from ..types import Session

SLOW_S = 1.0  # loading that takes longer is announced

OpenSound = Callable[[float, Callable[[str], None]], "SoundStream"]
"""From where to start, in seconds, and whom to tell what the user should know."""


@dataclass(frozen=True)
class LiveRun:
    """Transcribes one sound as it arrives.

    Attributes:
        screen: Says what is no result.
        model: Which artifact, and where it runs.
        stream: How.
        outputs: Where the events go.
    """

    screen: Screen
    model: ModelOptions
    stream: StreamOptions
    outputs: OutputOptions

    def run(self, open_sound: OpenSound, *, hears_again: bool) -> int | None:
        """Transcribe until the sound ends, somebody interrupts it, or nobody reads the text.

        Args:
            open_sound: Called when the model is ready, so that nothing waits for it.
            hears_again: Whether the sound can be heard again from any place.

        Returns:
            The number of the signal that ended it, if one did.

        Raises:
            WhisperqError: Something is wrong with the options, the model, the sound or a file.
        """
        from ..artifact import TOKENIZER
        from ..audio.saved_sound import SavedSound
        from ..decoding.tokens import Tokenizer
        from ..streaming.interruption import UntilInterrupted
        from ..streaming.journal import Journal
        from ..streaming.live import run_live
        from ..streaming.meter import StreamMeter
        from ..streaming.resumption import Continuation, Past
        from ..streaming.streamer import Streamer

        options, to = self.stream.checked(), self.outputs
        reference = given_reference(to.reference)
        artifact = open_artifact(self.screen, self.model.artifact)
        generation = artifact.manifest.generation
        tokenizer = Tokenizer.read(artifact.folder / TOKENIZER, generation)
        with ExitStack() as stack:
            enter = stack.enter_context
            journal = enter(Journal(to.output, resume=to.resume)) if to.output else None
            past = journal.past if journal else Past()
            start = past.hear_again() if hears_again else past.go_on()
            session = enter(self._session(artifact))
            output = enter(closing(event_output(self.screen, as_json=to.as_json)))
            streamer = Streamer(
                session,
                tokenizer,
                generation,
                options,
                notify=output.note,
                start_s=start.at_s,
                previous_text=start.previous_text if options.condition_on_previous_text else "",
            )
            meter = StreamMeter(streamer, unit=_unit(options)) if to.report else None
            stand_in = meter or Continuation(streamer, start.known)
            saved = enter(SavedSound(to.save)) if to.save else None
            sound = enter(UntilInterrupted(open_sound(start.at_s, output.note)))
            self._announce(artifact, session, past, sound.name)
            try:
                for event in run_live(stand_in, sound, saved):
                    if journal is not None:
                        journal.append(event)
                    output.show(event)
            except BrokenPipeError:
                return None  # whoever read the text has seen enough
            if meter is not None:
                output.close()
                print_report(meter.report(reference), as_json=to.as_json)
            return sound.signal

    @contextmanager
    def _session(self, artifact: Artifact) -> Iterator[Session]:
        """The artifact, loaded; says so where that takes its time."""
        from ...runtimes import open_session

        notice = threading.Timer(SLOW_S, self.screen.note, [f"loading {artifact.folder.name} ..."])
        notice.daemon = True
        notice.start()
        model = self.model
        try:
            session = open_session(
                artifact, model.threads, device=model.compute_device, provider=model.provider
            )
        finally:
            notice.cancel()
        with session:
            yield session

    def _announce(self, artifact: Artifact, session: Session, past: Past, name: str) -> None:
        facts = session.facts
        self.screen.note(
            f"{artifact.folder.name}, policy {self.stream.policy}, "
            f"{facts.runtime} {facts.version} on {facts.device}, {facts.threads} threads"
        )
        if past.text:
            n_words = len(past.text.split())
            self.screen.note(f"going on at {past.end_s:.1f} s, after {n_words} words")
        self.screen.note(f"listening to {name}; Ctrl-C ends")


def _unit(options: StreamingOptions) -> Unit:
    """What is counted; in words where the language is still to be detected."""
    from ..decoding.languages import LANGUAGE_NAMES, language_code
    from ..transcription.word_errors import unit_of

    if options.language is None:
        return "word"
    return unit_of(language_code(options.language, LANGUAGE_NAMES))
