"""The layouts of other programs: what particular there is to them, and the programs themselves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from whisperq_edge.edge.audio.mel import log_mel
from whisperq_edge.edge.audio.recording import load_audio
from whisperq_edge.edge.decoding.decoder import Decoder
from whisperq_edge.edge.decoding.options import DecodingOptions
from whisperq_edge.edge.decoding.tokens import Tokenizer
from whisperq_edge.edge.errors import InferenceError
from whisperq_edge.edge.evaluation.adopt import Original, adopt
from whisperq_edge.edge.evaluation.export import export
from whisperq_edge.edge.evaluation.foreign_folder import recognize
from whisperq_edge.exporters import ExportRequest, onnx_own_weights, onnx_weights
from whisperq_edge.exporters.onnx_interchange import InterchangeOps
from whisperq_edge.exporters.onnx_own_weights import OwnWeightsGraph
from whisperq_edge.exporters.onnx_sherpa import token_list
from whisperq_edge.models.checkpoint import load_checkpoint
from whisperq_edge.models.parameters import Parameters
from whisperq_edge.models.quantize import PER_CHANNEL, Recipe, quantize
from whisperq_edge.models.random_checkpoint import MINIATURE
from whisperq_edge.models.reference import NumpyOps
from whisperq_edge.models.vocabulary import official_tokenizer
from whisperq_edge.runtimes import open_session

from ..fresh_environment import fresh_environment
from .sessions import artifact, miniature, session

ROOT = Path(__file__).parents[2]
PAST = "past_key_values.{}.{}.{}"
HEARD = ("02_", "04_", "06_", "07_")  # recordings whose every word is certain
WHOLE = 3000  # frames
JAVASCRIPT = """
import { pipeline, env } from '@huggingface/transformers';
import { readFileSync } from 'fs';
const [folder, sound] = process.argv.slice(2);
env.allowRemoteModels = false;
env.localModelPath = folder.replace(/[^/]*$/, '');
const listen = await pipeline('automatic-speech-recognition', folder.split('/').pop());
const bytes = readFileSync(sound);
const samples = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
const said = { language: 'en', task: 'transcribe', return_timestamps: 'word' };
console.log(JSON.stringify(await listen(samples, said)));
"""
OPTIMUM = """
import json, sys
import soundfile
from optimum.onnxruntime import ORTModelForSpeechSeq2Seq
from transformers import AutoProcessor
folder, *sounds = sys.argv[1:]
model = ORTModelForSpeechSeq2Seq.from_pretrained(folder)
processor = AutoProcessor.from_pretrained(folder)
written = []
for sound in sounds:
    samples, rate = soundfile.read(sound, dtype="float32")
    features = processor(samples, sampling_rate=rate, return_tensors="pt").input_features
    tokens = model.generate(features, language="en", task="transcribe", max_new_tokens=40)
    beams = model.generate(
        features.repeat(2, 1, 1), language="en", task="transcribe", num_beams=2, max_new_tokens=40
    )
    written.append({
        "tokens": tokens[0].tolist(),
        "text": processor.decode(tokens[0], skip_special_tokens=True),
        "batch": processor.batch_decode(beams, skip_special_tokens=True),
    })
print(json.dumps(written))
"""


def relative(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The bundled model in a layout and a precision, exported once each."""
    checkpoint = load_checkpoint("demo", offline=True)
    made = {}

    def get(layout, precision):
        if (layout, precision) not in made:
            folder = tmp_path_factory.mktemp("demo") / f"{layout}-{precision}"
            request = ExportRequest(checkpoint, Recipe.of(precision), layout)
            made[layout, precision] = export("onnx", request, folder, verify=False)
        return made[layout, precision]

    return get


def heard(recordings):
    return [next(recordings.glob(f"{start}*.flac")) for start in HEARD]


def greedy(made, sound):
    """What our session writes of a whole window, without timestamps."""
    generation = made.manifest.generation
    options = DecodingOptions(language="en", without_timestamps=True)
    with open_session(made, threads=1) as opened:
        tokenizer = Tokenizer.read(made.folder / "tokenizer.json", generation)
        decoder = Decoder(opened, tokenizer, generation, options)
        opened.encode(log_mel(load_audio(sound), opened.dimensions.n_mels, WHOLE))
        return decoder.decode(decoder.begin(decoder.detect_language()), 0.0)


def test_every_row_of_the_head_is_rounded_by_itself(tmp_path):
    """Equal inputs, and tokens beside them that would change the range of a whole tensor."""
    rng = np.random.default_rng(0)
    table = rng.standard_t(5, (96, 64)).astype(np.float32)
    parameters = Parameters({"decoder.embedding": quantize(table, PER_CHANNEL)}, {})
    x = rng.normal(0, 1, (2, 3, 64)).astype(np.float32)
    x[:, 0] *= 50
    x[0, 1] = 0
    arrays = onnx_weights.pack(parameters, portable=True)
    graph = OwnWeightsGraph("head", 18, 8)
    ops = InterchangeOps(graph, parameters, arrays, MINIATURE)
    graph.input("x", ("b", "t", 64))
    graph.output("y", ops.head("x", "decoder.embedding"), ("b", "t", 96))
    spec = graph.save_whole(tmp_path, "head.onnx", arrays, ops.activations)
    ours = ort.InferenceSession(tmp_path / spec.file).run(None, {"x": x})[0]
    assert ours.shape == (2, 3, 96)
    for i in range(3):
        theirs = NumpyOps(parameters, spec.activations).head(x[:, : i + 1], "decoder.embedding")
        np.testing.assert_allclose(ours[:, i], theirs, rtol=2e-6, atol=1e-5)
    exact = NumpyOps(parameters).head(x, "decoder.embedding")
    assert relative(ours[:, -1], exact) > 1e-3  # the rounding is really there


@pytest.mark.parametrize("layout", ["optimum", "sherpa"])
def test_weights_are_stored_once(layout):
    made = artifact(f"onnx-{layout}-int8")
    graphs = sum(made.path(part).stat().st_size for part in ("encoder", "decoder"))
    n_table = MINIATURE.n_vocab * MINIATURE.n_text_state
    assert n_table < graphs < 1.5 * n_table


@pytest.mark.parametrize("layout", ["optimum", "sherpa"])
def test_weights_too_large_for_one_file_lie_beside_it(layout, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_own_weights, "MOST_BYTES_INSIDE", 2**20)  # the decoder's are larger
    request = ExportRequest(miniature(), Recipe.of("int8"), layout)
    made = export("onnx", request, tmp_path / "artifact", verify=False)
    decoder = made.path("decoder")
    data = decoder.with_name(f"{decoder.name}_data")
    assert data.stat().st_size > 2**20 > decoder.stat().st_size
    assert not made.path("encoder").with_name(f"{made.path('encoder').name}_data").exists()
    if layout == "optimum":
        config = json.loads((made.folder / "config.json").read_text())
        beside = config["transformers.js_config"]["use_external_data_format"]
        assert beside == {decoder.name: True}
    mel = np.random.default_rng(0).normal(0, 0.5, (80, 100)).astype(np.float32)
    prompt = np.array([[50258, 50259, 50359, 50363]])
    with open_session(made) as opened, session(f"onnx-{layout}-int8") as other:
        for each in (opened, other):
            each.encode(mel)
        np.testing.assert_array_equal(opened.step(prompt), other.step(prompt))


def decoder_inputs(batch, tokens, hidden, past, *, later):
    shape = (batch, MINIATURE.n_text_head, past, 32)
    rng = np.random.default_rng(past)
    return {
        "encoder_hidden_states": hidden,
        "input_ids": tokens,
        "use_cache_branch": np.array([later]),
        **{
            PAST.format(layer, side, kind): rng.normal(0, 1, shape).astype(np.float32)
            for layer in range(MINIATURE.n_text_layer)
            for side in ("decoder", "encoder")
            for kind in ("key", "value")
        },
    }


def test_optimums_decoder_ignores_the_dummy_past_of_a_first_step():
    """optimum passed one row of zeros for years, transformers.js passes none."""
    graph = ort.InferenceSession(artifact("onnx-optimum-fp32").path("decoder"))
    hidden = np.random.default_rng(1).normal(0, 1, (1, 50, 64)).astype(np.float32)
    tokens = np.array([[50258, 50259, 50359]])
    none, some = (
        graph.run(
            ["logits", "present.0.decoder.key"], decoder_inputs(1, tokens, hidden, n, later=False)
        )
        for n in (0, 3)
    )
    assert none[1].shape == (1, 2, 3, 32)
    for a, b in zip(none, some, strict=True):
        np.testing.assert_array_equal(a, b)


def test_optimums_graphs_take_several_sounds_at_once():
    made = artifact("onnx-optimum-fp32")
    encoder, decoder = (ort.InferenceSession(made.path(part)) for part in ("encoder", "decoder"))
    mel = np.random.default_rng(0).normal(0, 0.5, (2, 80, 100)).astype(np.float32)
    tokens = np.array([[50258, 50259], [50258, 50260]])
    names = [value.name for value in decoder.get_outputs()]

    def two_steps(mel, tokens):
        hidden = encoder.run(None, {"input_features": mel})[0]
        feeds = decoder_inputs(len(mel), tokens, hidden, 0, later=False)
        first = dict(zip(names, decoder.run(None, feeds), strict=True))
        feeds |= {"input_ids": tokens[:, :1], "use_cache_branch": np.array([True])}
        present = {k: v for k, v in first.items() if k.startswith("present.")}
        feeds |= {k.replace("present", "past_key_values"): v for k, v in present.items()}
        second = dict(zip(names, decoder.run(None, feeds), strict=True))
        assert second["present.0.encoder.key"].size == 0
        return first["logits"], second["logits"]

    together = two_steps(mel, tokens)
    for i in range(2):
        for all_rows, alone in zip(
            together, two_steps(mel[i : i + 1], tokens[i : i + 1]), strict=True
        ):
            assert relative(all_rows[i], alone[0]) < 1e-5


def test_transformers_reads_what_optimums_folder_says():
    transformers = pytest.importorskip("transformers", reason="the reader is transformers")
    made = artifact("onnx-optimum-fp32")
    config = transformers.AutoConfig.from_pretrained(made.folder)
    d = made.manifest.dimensions
    assert (config.d_model, config.num_mel_bins, config.vocab_size) == (64, d.n_mels, d.n_vocab)
    settings = transformers.GenerationConfig.from_pretrained(made.folder)
    published = transformers.GenerationConfig.from_pretrained(miniature_folder())
    for name in ("lang_to_id", "task_to_id", "alignment_heads", "no_timestamps_token_id"):
        ours, theirs = getattr(settings, name), getattr(published, name)
        assert sorted(ours) == sorted(theirs) if isinstance(ours, list) else ours == theirs
    processor = transformers.AutoProcessor.from_pretrained(made.folder)
    ours = Tokenizer.read(made.folder / "tokenizer.json", made.manifest.generation)
    assert processor.tokenizer("hello world").input_ids[2:-1] == ours.encode("hello world")
    assert processor.feature_extractor.n_samples == 480_000


def miniature_folder():
    return miniature().weights.files[0].parent


def test_sherpas_list_of_tokens_is_openais():
    openai = (ROOT / "models" / "vocabulary" / "multilingual.tiktoken").read_text()
    assert token_list(official_tokenizer(51865)) == openai


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_the_real_sherpa_onnx_writes_the_same(demo, precision, recordings):
    sherpa = pytest.importorskip("sherpa_onnx", reason="the reader is sherpa-onnx")
    made = demo("sherpa", precision)
    recognizer = sherpa.OfflineRecognizer.from_whisper(
        encoder=str(made.path("encoder")),
        decoder=str(made.path("decoder")),
        tokens=str(made.folder / "demo-tokens.txt"),
        language="en",
        enable_token_timestamps=True,
    )
    for sound in heard(recordings):
        stream = recognizer.create_stream()
        stream.accept_waveform(16_000, load_audio(sound))
        recognizer.decode_stream(stream)
        result = greedy(made, sound)
        assert stream.result.text.strip() == result.text
        times = stream.result.timestamps
        assert len(times) == len(result.tokens)
        assert times == sorted(times)
        assert times[-1] > 1


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """A folder of its own with the real transformers.js."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("transformers.js needs node and npm")
    folder = tmp_path_factory.mktemp("node")
    # Its scripts would fetch CUDA's libraries; what the CPU needs is in the package.
    npm = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder]
    done = subprocess.run(
        [*npm, "@huggingface/transformers@4"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"npm cannot install transformers.js: {done.stderr[-200:]}")
    return folder


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_the_real_transformers_js_writes_the_same_and_times_words(
    demo, node, precision, recordings, tmp_path
):
    made = demo("optimum", precision)
    program = node / "listen.mjs"
    program.write_text(JAVASCRIPT)
    sound = heard(recordings)[-1]
    load_audio(sound).tofile(tmp_path / "sound.f32")
    done = subprocess.run(
        ["node", program, made.folder, tmp_path / "sound.f32"],
        capture_output=True,
        text=True,
        check=True,
    )
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["text"].strip() == greedy(made, sound).text
    assert [word["text"].strip() for word in said["chunks"]] == said["text"].split()
    starts = [word["timestamp"][0] for word in said["chunks"]]
    assert starts == sorted(starts)
    assert starts[-1] > 1


@pytest.fixture(scope="module")
def optimum(tmp_path_factory):
    """The extra in an environment of its own: it asks for older libraries than the tests do."""
    return fresh_environment(tmp_path_factory, "optimum", [f"{ROOT}[optimum]", "torch==2.13.0"])


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_the_real_optimum_writes_the_same(demo, optimum, precision, recordings):
    made = demo("optimum", precision)
    sounds = heard(recordings)
    done = subprocess.run(
        [optimum, "-c", OPTIMUM, made.folder, *sounds], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for sound, written in zip(sounds, json.loads(done.stdout.splitlines()[-1]), strict=True):
        result = greedy(made, sound)
        assert [token for token in written["tokens"] if token < 50257] == list(result.tokens)
        assert written["batch"] == [written["text"]] * 2


@pytest.fixture(scope="module")
def foreign(optimum, tmp_path_factory):
    """The bundled model as optimum's own exporter writes it: both forms of the decoder."""
    folder = tmp_path_factory.mktemp("foreign") / "model"
    own_export(optimum, "onnx", folder)
    return folder


def own_export(python, form, folder, *options):
    """Run optimum's exporter over the bundled model."""
    task = ["--task", "automatic-speech-recognition-with-past", *options]
    command = [python.with_name("optimum-cli"), "export", form, "-m", ROOT / "models" / "demo"]
    done = subprocess.run([*command, *task, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("form", ["merged", "apart"])
def test_graphs_of_optimums_own_exporter_are_adopted(foreign, form, recordings, tmp_path, few):
    folder = tmp_path / "model"
    shutil.copytree(foreign, folder, copy_function=os.link)
    if form == "apart":
        (folder / "decoder_model_merged.onnx").unlink()
    original = Original(load_checkpoint("demo", offline=True), "demo")
    made = adopt(recognize(folder), tmp_path / "artifact", original)
    assert max(part.relative_error for part in made.manifest.parity.parts.values()) < 1e-5
    assert made.manifest.parity.loss.token_agreement == 1
    assert ("decoder_with_past" in made.manifest.graphs) == (form == "apart")
    sound = heard(recordings)[-1]
    assert greedy(made, sound).text == "brew a dark roast triple shot iced coffee"
    with open_session(made) as opened:
        opened.encode(np.zeros((80, WHOLE), np.float32))
        opened.step(np.array([[50258]]))
        with pytest.raises(InferenceError, match="no cross-attention"):
            _ = opened.alignment


@pytest.fixture(scope="module")
def hub_folder(tmp_path_factory):
    """The bundled model as optimum-intel's own exporter writes it: what OpenVINO's hub holds."""
    if not os.environ.get("WHISPERQ_REQUIRE"):
        pytest.skip("optimum-intel is large; WHISPERQ_REQUIRE asks for it")
    folder = tmp_path_factory.mktemp("intel")
    packages = ["optimum-intel==2.2.0", "openvino", "openvino-tokenizers", "nncf", "torch==2.13.0"]
    python = fresh_environment(tmp_path_factory, "optimum-intel", packages)
    # It comes along in a build that does not fit the CPU's torch, and is not needed.
    pip = [python, "-m", "pip", "--quiet", "uninstall", "--yes", "torchvision"]
    subprocess.run(pip, check=True, capture_output=True)
    own_export(python, "openvino", folder / "model", "--weight-format", "int8")
    return folder / "model"


def test_graphs_of_openvinos_hub_are_adopted(hub_folder, recordings, tmp_path, few):
    pytest.importorskip("openvino", reason="running them needs openvino")
    original = Original(load_checkpoint("demo", offline=True), "demo")
    made = adopt(recognize(hub_folder), tmp_path / "artifact", original)
    assert max(part.relative_error for part in made.manifest.parity.parts.values()) < 0.05
    assert greedy(made, heard(recordings)[-1]).text == "brew a dark roast triple shot iced coffee"
    mel = np.random.default_rng(0).normal(0, 0.5, (80, WHOLE)).astype(np.float32)
    with open_session(made) as opened:
        opened.encode(mel)
        opened.step(np.array([[50258, 50259, 50359]]))
        alone = opened.step(np.array([[741]])).copy()
        opened.rewind(3)
        opened.reorder(np.zeros(3, np.int64))
        together = opened.step(np.array([[393], [741], [362]])).copy()
        assert together.shape == (3, MINIATURE.n_vocab)
        # The integers' rounding may share a range among the rows.
        assert relative(together[1], alone[0]) < 1e-2 < relative(together[0], alone[0])


@pytest.fixture
def few(monkeypatch):
    """Fewer recordings to judge by: whole windows take NumPy a second each."""
    for name in ("MIN_RECORDINGS", "MAX_RECORDINGS"):
        monkeypatch.setattr(f"whisperq_edge.edge.evaluation.teacher.{name}", 2)
