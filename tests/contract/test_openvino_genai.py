"""The folder that OpenVINO GenAI loads, loaded by OpenVINO GenAI."""

from __future__ import annotations

import numpy as np
import pytest

from whisperq_edge.edge.artifact import TOKENIZER
from whisperq_edge.edge.audio.mel import log_mel
from whisperq_edge.edge.decoding.decoder import Decoder
from whisperq_edge.edge.decoding.options import DecodingOptions
from whisperq_edge.edge.decoding.tokens import Tokenizer
from whisperq_edge.edge.evaluation.export import export
from whisperq_edge.edge.evaluation.recordings import bundled_recordings
from whisperq_edge.exporters import ExportRequest
from whisperq_edge.models.checkpoint import load_checkpoint
from whisperq_edge.models.quantize import Recipe
from whisperq_edge.runtimes import open_session

genai = pytest.importorskip("openvino_genai", reason="the reader of this layout")

RECORDINGS = list(bundled_recordings(4))
# The pipeline's default is bfloat16 where the processor has it, which is nobody's reference.
EXACT = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32"}


@pytest.fixture(scope="module", params=["fp16", "int8", "int4"])
def made(request, tmp_path_factory):
    """The bundled model in the layout, exported once for each precision."""
    asked = ExportRequest(
        load_checkpoint("demo", offline=True), Recipe.of(request.param), layout="genai"
    )
    folder = tmp_path_factory.mktemp("genai") / "artifact"
    return export("openvino", asked, folder, verify=False)


class Collector(genai.StreamerBase):  # type: ignore[misc, name-defined]
    """Takes the tokens as they come."""

    def __init__(self):
        super().__init__()
        self.tokens = []

    def write(self, token):
        self.tokens += token if isinstance(token, list) else [token]
        return genai.StreamingStatus.RUNNING

    def end(self):
        """Nothing to finish."""


def test_the_pipeline_loads_it_and_finds_our_tokens(made):
    pipeline = genai.WhisperPipeline(made.folder, "CPU", **EXACT)
    manifest = made.manifest
    tokenizer = Tokenizer.read(made.folder / TOKENIZER, manifest.generation)
    options = DecodingOptions(language="en", without_timestamps=True)
    with open_session(made, threads=1) as session:
        decoder = Decoder(session, tokenizer, manifest.generation, options)
        for recording in RECORDINGS:
            collector = Collector()
            pipeline.generate(
                recording.samples, language="<|en|>", task="transcribe", streamer=collector
            )
            session.encode(log_mel(recording.samples, manifest.dimensions.n_mels, 3000))
            ours = decoder.decode(decoder.begin(decoder.detect_language()), 0.0)
            end = tokenizer.eot
            assert [token for token in collector.tokens if token != end] == list(ours.tokens)


def test_the_pipeline_times_words(made):
    pipeline = genai.WhisperPipeline(made.folder, "CPU", word_timestamps=True, **EXACT)
    recording = RECORDINGS[0]
    found = pipeline.generate(
        recording.samples, language="<|en|>", return_timestamps=True, word_timestamps=True
    )
    assert "".join(word.word for word in found.words) == found.texts[0]
    starts = [word.start_ts for word in found.words]
    assert starts == sorted(starts)
    assert 0 < starts[-1] < len(recording.samples) / 16_000


def test_a_prompt_is_encoded_as_ours(made):
    tokenizer = genai.Tokenizer(made.folder)
    ours = Tokenizer.read(made.folder / TOKENIZER, made.manifest.generation)
    text = " A double espresso, isn't it?"
    ids = tokenizer.encode(text, add_special_tokens=False).input_ids.data[0]
    assert ids.tolist() == list(ours.encode(text))
    assert tokenizer.decode(np.array(ids)) == text
