"""The options that ``listen`` and ``stream`` share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..errors import ConfigError
from . import decoding_options as decoding
from .option_values import temperatures, token_ids

if TYPE_CHECKING:
    from ..streaming.options import StreamingOptions


@dataclass(frozen=True)
class ModelOptions:
    """Which artifact, and where it runs."""

    artifact: decoding.Artifact = None
    threads: decoding.Threads = None
    compute_device: Annotated[
        str | None,
        typer.Option(help="Where to compute, in the library's words: GPU, NPU, AUTO ..."),
    ] = None
    provider: decoding.Provider = None


@dataclass(frozen=True)
class StreamOptions:
    """How the stream is transcribed; ``edge/streaming/options.py`` says what each means."""

    language: decoding.Language = None
    task: decoding.Task = "transcribe"
    policy: Annotated[
        Literal["alignatt", "local-agreement"],
        typer.Option(help="What decides that a word stays."),
    ] = "alignatt"
    chunk: Annotated[float, typer.Option(help="New sound between two updates, in seconds.")] = 1.0
    frame_threshold: Annotated[
        int,
        typer.Option(help="For alignatt: positions of 20 ms that a word stays away from the end."),
    ] = 40
    buffer_trimming: Annotated[
        Literal["segment", "sentence"],
        typer.Option(help="Cut a long buffer at its longest pause, or after a sentence."),
    ] = "segment"
    buffer_trimming_sec: Annotated[
        float, typer.Option(help="Length in seconds from which the buffer is cut.")
    ] = 15.0
    vad: Annotated[
        bool, typer.Option("--vad/--no-vad", help="Decode only what sounds like speech.")
    ] = True
    vad_threshold: Annotated[
        float, typer.Option(help="Probability from which it sounds like speech.")
    ] = 0.5
    min_silence: Annotated[
        float, typer.Option(help="A pause of so many seconds ends an utterance.")
    ] = 0.6
    hallucination_silence_threshold: Annotated[
        float | None,
        decoding.optional_number_option(
            "Drop words that lie in a silence longer than this, in seconds."
        ),
    ] = None
    initial_prompt: decoding.InitialPrompt = None
    condition_on_previous_text: decoding.ConditionOnPreviousText = "true"
    audio_context: decoding.AudioContext = "auto"
    temperature: decoding.Temperature = 0.0
    temperature_increment_on_fallback: decoding.TemperatureIncrement = 0.2
    compression_ratio_threshold: decoding.CompressionRatioThreshold = 2.4
    logprob_threshold: decoding.LogprobThreshold = -1.0
    no_speech_threshold: decoding.NoSpeechThreshold = 0.6
    repetition_guard: decoding.RepetitionGuard = True
    suppress_tokens: decoding.SuppressTokens = "-1"

    def checked(self) -> StreamingOptions:
        """The same for the streamer.

        Raises:
            ConfigError: A value is out of range, or two of them do not go together.
        """
        from ..streaming.options import StreamingOptions

        return StreamingOptions(
            task=self.task,
            language=self.language,
            temperature=temperatures(self.temperature, self.temperature_increment_on_fallback),
            suppress_tokens=token_ids(self.suppress_tokens),
            compression_ratio_threshold=self.compression_ratio_threshold,
            logprob_threshold=self.logprob_threshold,
            no_speech_threshold=self.no_speech_threshold,
            repetition_guard=self.repetition_guard,
            policy=self.policy,
            chunk_s=self.chunk,
            frame_threshold=self.frame_threshold,
            initial_prompt=self.initial_prompt,
            condition_on_previous_text=self.condition_on_previous_text == "true",
            buffer_trimming=self.buffer_trimming,
            buffer_trimming_s=self.buffer_trimming_sec,
            audio_context=self.audio_context,
            vad=self.vad,
            vad_threshold=self.vad_threshold,
            min_silence_s=self.min_silence,
            hallucination_silence_threshold=self.hallucination_silence_threshold,
        )


@dataclass(frozen=True)
class OutputOptions:
    """What is done with the events, and with the sound.

    Raises:
        ConfigError: Two of them do not go together.
    """

    as_json: Annotated[
        bool, typer.Option("--json", help="Print each event as JSON, one per line.")
    ] = False
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Append each event as JSON to this file.")
    ] = None
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where the file of --output ends.")
    ] = False
    save: Annotated[
        Path | None, typer.Option(help="Keep the sound in a .flac, .wav or .ogg file.")
    ] = None
    report: Annotated[
        bool, typer.Option("--report", help="Say at the end how late and how steady the text was.")
    ] = False
    reference: Annotated[
        str | None,
        typer.Option(help="For --report: what was said, as text or as a .txt, .tsv or .json file."),
    ] = None

    def __post_init__(self) -> None:
        if self.resume and self.output is None:
            raise ConfigError("--resume goes on with a file of events; name it with --output")
        if self.resume and self.report:
            raise ConfigError("--report measures a whole stream; leave out --resume, or --report")
        if self.reference is not None and not self.report:
            raise ConfigError("--reference is what --report compares the text with; add --report")
