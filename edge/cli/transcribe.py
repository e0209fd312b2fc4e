"""``whisperq-edge transcribe``: recordings become text, on this machine."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..decoding.punctuation import APPENDED, PREPENDED
from ..errors import ConfigError, WhisperqError
from . import decoding_options as decoding
from .artifact_input import open_artifact
from .failures import explain
from .option_values import temperatures, token_ids
from .screen import Screen
from .sound_input import open_sound, stem_of
from .transcript_output import Format, TranscriptOutput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..artifact import Artifact
    from ..transcription.options import TranscriptionOptions
    from ..transcription.transcriber import Transcriber
    from ..types import Session


def transcribe(
    ctx: typer.Context,
    recordings: Annotated[
        list[str], typer.Argument(help="Sound files; - reads one from standard input.")
    ],
    artifact: decoding.Artifact = None,
    output_format: Annotated[
        Format | None,
        typer.Option("--output-format", "--format", "-f", help="Of the text; txt if not given."),
    ] = None,
    output_dir: Annotated[
        Path | None,
        typer.Option("--output-dir", "-o", help="Write one file per recording and format here."),
    ] = None,
    language: decoding.Language = None,
    task: decoding.Task = "transcribe",
    threads: decoding.Threads = None,
    device: Annotated[
        str | None, typer.Option(help="Where to run, in the library's words: GPU, NPU, AUTO ...")
    ] = None,
    provider: decoding.Provider = None,
    beam_size: Annotated[
        int | None, typer.Option(help="Hypotheses of a beam search; greedy if not given.")
    ] = None,
    best_of: Annotated[
        int | None, typer.Option(help="Texts drawn at a temperature above 0.")
    ] = None,
    patience: Annotated[float | None, typer.Option(help="Of the beam search.")] = None,
    length_penalty: Annotated[
        float | None, typer.Option(help="From 0 to 1; by mean log-probability if not given.")
    ] = None,
    temperature: decoding.Temperature = 0.0,
    temperature_increment_on_fallback: decoding.TemperatureIncrement = 0.2,
    compression_ratio_threshold: decoding.CompressionRatioThreshold = 2.4,
    logprob_threshold: decoding.LogprobThreshold = -1.0,
    no_speech_threshold: decoding.NoSpeechThreshold = 0.6,
    repetition_guard: decoding.RepetitionGuard = True,
    suppress_tokens: decoding.SuppressTokens = "-1",
    initial_prompt: decoding.InitialPrompt = None,
    condition_on_previous_text: decoding.ConditionOnPreviousText = "true",
    without_timestamps: Annotated[
        bool, typer.Option("--without-timestamps", help="Ask the model for text alone.")
    ] = False,
    audio_context: decoding.AudioContext = "auto",
    word_timestamps: Annotated[
        Literal["true", "false"],
        typer.Option(
            case_sensitive=False, help="Times for every word in json; srt and vtt go by them."
        ),
    ] = "false",
    prepend_punctuations: Annotated[
        str, typer.Option(show_default=False, help="Marks that go with the word behind them.")
    ] = PREPENDED,
    append_punctuations: Annotated[
        str, typer.Option(show_default=False, help="Marks that go with the word before them.")
    ] = APPENDED,
    hallucination_silence_threshold: Annotated[
        float | None,
        decoding.optional_number_option(
            "With word times: leave out strange text beside more silence, in seconds."
        ),
    ] = None,
) -> None:
    """Transcribe recordings with an exported model.

    Prints the text, or writes files with --output-dir. Options are named as in openai/whisper.
    """
    from ..transcription.options import TranscriptionOptions

    screen: Screen = ctx.obj
    options = TranscriptionOptions(
        task=task,
        language=language,
        temperature=temperatures(temperature, temperature_increment_on_fallback),
        best_of=best_of,
        beam_size=beam_size,
        patience=patience,
        length_penalty=length_penalty,
        suppress_tokens=token_ids(suppress_tokens),
        without_timestamps=without_timestamps,
        compression_ratio_threshold=compression_ratio_threshold,
        logprob_threshold=logprob_threshold,
        no_speech_threshold=no_speech_threshold,
        repetition_guard=repetition_guard,
        initial_prompt=initial_prompt,
        condition_on_previous_text=condition_on_previous_text == "true",
        audio_context=audio_context,
        word_timestamps=word_timestamps == "true",
        prepend_punctuations=prepend_punctuations,
        append_punctuations=append_punctuations,
        hallucination_silence_threshold=hallucination_silence_threshold,
    )
    output = TranscriptOutput.of(output_format, output_dir, [stem_of(name) for name in recordings])
    found = open_artifact(screen, artifact)
    from ...runtimes import open_session

    open_it = partial(open_session, found, threads, device=device, provider=provider)
    status = _run(screen, found, open_it, recordings, options, output)
    if status:
        raise typer.Exit(status)


def _run(
    screen: Screen,
    artifact: Artifact,
    open_it: Callable[[], Session],
    recordings: Sequence[str],
    options: TranscriptionOptions,
    output: TranscriptOutput,
) -> int:
    """Transcribe every recording; the exit status of the first that could not be."""
    from ..artifact import TOKENIZER
    from ..decoding.tokens import Tokenizer
    from ..transcription.transcriber import Transcriber

    generation = artifact.manifest.generation
    tokenizer = Tokenizer.read(artifact.folder / TOKENIZER, generation)
    status, work = 0, Work()
    with open_it() as session:
        facts = session.facts
        screen.detail(f"{facts.runtime} {facts.version} on {facts.device}, {facts.threads} threads")
        transcriber = Transcriber(session, tokenizer, generation)
        for name in recordings:
            try:
                done = _transcribe_one(screen, transcriber, name, options, output)
            except ConfigError:
                raise  # the options are wrong, for every recording alike
            except WhisperqError as error:
                if screen.debug or len(recordings) == 1:
                    raise
                line, failed = explain(error)
                typer.echo(line, err=True)
                status = status or failed
            else:
                screen.note(f"{stem_of(name)}: {done}")
                work += done
    if len(recordings) > 1:
        screen.note(f"{work.n_recordings} of {len(recordings)} recordings: {work}")
    return status


def _transcribe_one(
    screen: Screen,
    transcriber: Transcriber,
    name: str,
    options: TranscriptionOptions,
    output: TranscriptOutput,
) -> Work:
    with open_sound(name) as sound, screen.progress() as progress:
        stage = f"{sound.name} ({sound.duration_s:.0f} s)"
        progress(stage, 0.0)
        began = time.perf_counter()
        transcript = transcriber.transcribe(
            sound,
            options,
            progress=lambda _, done: progress(stage, done),
            on_segment=output.segment,
        )
        seconds = time.perf_counter() - began
    for path in output.transcript(transcript, stem_of(name)):
        screen.detail(f"wrote {path}")
    return Work(1, len(transcript.text.split()), transcript.duration, seconds)


@dataclass(frozen=True)
class Work:
    """What was transcribed, and what it took."""

    n_recordings: int = 0
    n_words: int = 0
    sound_s: float = 0.0
    compute_s: float = 0.0

    def __add__(self, other: Work) -> Work:
        """Both together."""
        return Work(
            self.n_recordings + other.n_recordings,
            self.n_words + other.n_words,
            self.sound_s + other.sound_s,
            self.compute_s + other.compute_s,
        )

    def __str__(self) -> str:
        """``5 words in 2.1 s of sound, computed in 0.12 s (real-time factor 0.057)``."""
        factor = self.compute_s / self.sound_s if self.sound_s else 0.0
        return (
            f"{self.n_words} words in {self.sound_s:.1f} s of sound, "
            f"computed in {self.compute_s:.2f} s (real-time factor {factor:.3f})"
        )
