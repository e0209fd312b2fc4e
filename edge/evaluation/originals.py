"""What the reference runs: an artifact's own weights, or the checkpoint of adopted graphs."""

from __future__ import annotations

from ...exporters import exporter_for
from ...models.checkpoint import load_checkpoint
from ...models.parameters import Parameters, prepare
from ...models.quantize import Recipe
from ...runtimes import open_session
from ..artifact import TOKENIZER, Artifact
from ..decoding.decoder import Decoder
from ..decoding.tokens import Tokenizer
from ..errors import ConfigError
from ..parity import Parity
from ..transcription.word_errors import word_error_rate
from ..types import Progress, no_progress
from .recordings import bundled_recordings
from .teacher import OPTIONS, features

WORD_RECORDINGS = 12  # heard where nothing else can be judged


def original_parameters(artifact: Artifact) -> Parameters:
    """What the artifact is compared with.

    Raises:
        ArtifactError: Its weights cannot be read.
        ConfigError: It was adopted, and its checkpoint is gone or has changed.
    """
    manifest = artifact.manifest
    if manifest.adopted is None or manifest.adopted.checkpoint is None:
        return exporter_for(manifest.target).read_parameters(artifact.folder, manifest)
    name = manifest.adopted.checkpoint
    checkpoint = load_checkpoint(name, revision=manifest.source.revision, offline=True)
    if checkpoint.digest != manifest.source.digest:
        raise ConfigError(f"{name} is not the checkpoint that {artifact.folder} was compared with")
    return prepare(checkpoint, Recipe.of("fp32"))


def count_words(artifact: Artifact, progress: Progress = no_progress) -> Parity:
    """Let graphs without a reference write down recordings, and count their mistakes.

    Raises:
        ArtifactError: It cannot be opened.
    """
    generation = artifact.manifest.generation
    tokenizer = Tokenizer.read(artifact.folder / TOKENIZER, generation)
    recordings = list(bundled_recordings(WORD_RECORDINGS))
    texts = []
    with open_session(artifact, threads=1) as session:
        decoder = Decoder(session, tokenizer, generation, OPTIONS)
        for k, recording in enumerate(recordings):
            progress("verify", k / len(recordings))
            session.encode(features(recording, session.contexts, session.dimensions.n_mels))
            texts.append(decoder.decode(decoder.begin(decoder.detect_language()), 0.0).text)
    progress("verify", 1.0)
    truths = [recording.text for recording in recordings]
    return Parity(
        parts={},
        token_agreement=None,
        wer=word_error_rate(truths, texts),
        wer_reference=None,
        n_recordings=len(recordings),
        n_words=sum(len(truth.split()) for truth in truths),
    )
