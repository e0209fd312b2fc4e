"""Folders of other programs become artifacts, with their graphs as they are."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from whisperq_edge.edge.artifact import LATER_DECODER, Artifact
from whisperq_edge.edge.errors import ArtifactError, ConfigError, ParityError
from whisperq_edge.edge.evaluation.adopt import Original, adopt
from whisperq_edge.edge.evaluation.export import export
from whisperq_edge.edge.evaluation.foreign_folder import recognize
from whisperq_edge.edge.evaluation.verify import verify
from whisperq_edge.edge.types import AudioContexts, Precision
from whisperq_edge.exporters import ExportRequest
from whisperq_edge.models.checkpoint import load_checkpoint
from whisperq_edge.models.parameters import prepare
from whisperq_edge.models.quantize import Recipe
from whisperq_edge.models.random_checkpoint import MINIATURE, write_random_checkpoint
from whisperq_edge.runtimes import open_session
from whisperq_edge.runtimes.run_reference import ReferenceSession

pytest.importorskip("onnx", reason="reading ONNX graphs needs onnx")


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Fewer recordings to judge by: whole windows take NumPy a while."""
    for name in ("MIN_RECORDINGS", "MAX_RECORDINGS"):
        monkeypatch.setattr(f"whisperq_edge.edge.evaluation.teacher.{name}", 2)
    monkeypatch.setattr("whisperq_edge.edge.evaluation.originals.WORD_RECORDINGS", 2)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoint") / "small"
    return write_random_checkpoint(folder, MINIATURE)


@pytest.fixture(scope="module")
def original(checkpoint):
    return Original(load_checkpoint(checkpoint), str(checkpoint))


@pytest.fixture(scope="module")
def exports(original, tmp_path_factory):
    """What another program would have written: our own export without its manifest."""
    made = {}

    def get(layout, precision="fp32"):
        if (layout, precision) not in made:
            folder = tmp_path_factory.mktemp("exports") / f"{layout}-{precision}"
            request = ExportRequest(original.checkpoint, Recipe.of(precision), layout)
            export("onnx", request, folder, verify=False)
            (folder / "artifact.json").unlink()
            made[layout, precision] = folder
        return made[layout, precision]

    return get


def relative(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


@pytest.mark.parametrize("layout", ["optimum", "sherpa"])
def test_the_graphs_stay_as_they_are_and_agree_with_the_checkpoint(
    layout, exports, original, tmp_path
):
    folder = exports(layout)
    made = adopt(recognize(folder), tmp_path / "artifact", original)
    assert Artifact.read(tmp_path / "artifact", digests=True).manifest == made.manifest
    for graph in made.manifest.graphs.values():
        assert (made.folder / graph.file).read_bytes() == (folder / graph.file).read_bytes()
        assert graph.activations == {}
        assert graph.inputs[0].name in ("input_features", "mel", "encoder_hidden_states", "tokens")
    parity = made.manifest.parity
    assert max(part.relative_error for part in parity.parts.values()) < 1e-5
    assert parity.token_agreement == parity.loss.token_agreement == 1
    assert made.manifest.verdict.passed
    assert made.manifest.source.digest == original.checkpoint.digest
    assert set(made.manifest.quantization.values()) == {Precision("fp32")}
    again = verify(made)
    assert again.parts == parity.parts
    assert again.wer_reference == parity.wer_reference


@pytest.mark.parametrize("layout", ["optimum", "sherpa"])
def test_a_session_keeps_its_promises_over_them(layout, exports, original, tmp_path):
    """One token at a time over a past, and the window repeated: how others' graphs are fed."""
    made = adopt(recognize(exports(layout)), tmp_path / "artifact", original)
    exact = prepare(original.checkpoint, Recipe.of("fp32"))
    manifest = made.manifest
    reference = ReferenceSession(exact, manifest.dimensions, manifest.generation)
    mel = np.random.default_rng(0).normal(0, 0.5, (80, 3000)).astype(np.float32)
    with open_session(made) as opened:
        found = [list(_play(each, mel)) for each in (opened, reference)]
    for ours, theirs in zip(*found, strict=True):
        assert ours.shape == theirs.shape
        assert relative(ours, theirs) < 1e-5


def _play(session, mel):
    """Every promise of Session once; what it gives along the way."""
    step = lambda *rows: session.step(np.array(rows)).copy()  # noqa: E731
    session.encode(mel)
    yield session.window()
    yield step([50258, 50259, 50359])
    yield step([5, 6, 7])
    yield session.alignment
    session.rewind(3)
    session.reorder(np.zeros(3, np.int64))
    yield step([1], [2], [3])
    session.reorder(np.array([2, 0]))
    yield step([4, 5], [6, 7])
    yield session.alignment
    session.rewind(4)
    yield step([4], [6])
    session.rewind(0)
    yield step([50258, 50259], [50258, 50260])
    session.reorder(np.array([1]))
    yield step([11])


def test_only_what_takes_other_lengths_offers_them(exports, original, tmp_path):
    whole = adopt(recognize(exports("optimum")), tmp_path / "whole", original)
    assert whole.manifest.audio_contexts == AudioContexts(1500, (1500,))
    free = adopt(recognize(exports("sherpa")), tmp_path / "free", original)
    assert free.manifest.audio_contexts == AudioContexts(1500)


def test_integers_are_recognized_and_judged_by_the_checkpoint(exports, original, tmp_path):
    made = adopt(recognize(exports("optimum", "int8")), tmp_path / "artifact", original)
    assert set(made.manifest.quantization.values()) == {Precision("int8")}
    parity = made.manifest.parity
    assert 1e-3 < parity.parts["encoder"].relative_error < made.manifest.tolerance.relative_error


def test_graphs_of_other_weights_are_refused_and_nothing_is_left(exports, tmp_path):
    other = write_random_checkpoint(tmp_path / "other", MINIATURE, seed=1)
    with pytest.raises(ParityError, match=r"encoder: relative error is .*; the artifact was ref"):
        adopt(
            recognize(exports("optimum")),
            tmp_path / "out" / "artifact",
            Original(load_checkpoint(other), str(other)),
        )
    assert not any((tmp_path / "out").iterdir())


def test_another_models_checkpoint_is_refused(exports, tmp_path):
    with pytest.raises(ConfigError, match="is not made from demo: its dimensions"):
        adopt(
            recognize(exports("sherpa")),
            tmp_path / "out",
            Original(load_checkpoint("demo"), "demo"),
        )
    assert not (tmp_path / "out").exists()


def test_without_a_checkpoint_words_alone_are_judged(exports, tmp_path):
    made = adopt(recognize(exports("optimum")), tmp_path / "artifact")
    parity = made.manifest.parity
    assert parity.parts == {}
    assert parity.token_agreement is parity.wer_reference is parity.loss is None
    assert parity.n_recordings == 2
    assert made.manifest.source.digest == "unknown"
    assert verify(made) == parity


def test_a_checkpoint_that_changed_is_noticed(exports, tmp_path):
    folder = write_random_checkpoint(tmp_path / "checkpoint", MINIATURE)
    original = Original(load_checkpoint(folder), str(folder))
    made = adopt(recognize(exports("optimum")), tmp_path / "artifact", original)
    write_random_checkpoint(folder, MINIATURE, seed=1)
    with pytest.raises(ConfigError, match="is not the checkpoint that"):
        verify(made)


def touched(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def test_variants_of_a_folder(tmp_path):
    stems = ("encoder_model", "decoder_model_merged", "decoder_model", "decoder_with_past_model")
    names = [f"onnx/{stem}{suffix}.onnx" for stem in stems for suffix in ("", "_int8", "_q4f16")]
    folder = touched(tmp_path, *names)
    found = recognize(folder)
    assert (found.layout, found.variant) == ("optimum", "")
    assert found.graphs == {
        "encoder": "onnx/encoder_model.onnx",
        "decoder": "onnx/decoder_model_merged.onnx",
    }
    assert recognize(folder, "int8").graphs["decoder"] == "onnx/decoder_model_merged_int8.onnx"
    with pytest.raises(ConfigError, match="has no variant q8; it has: int8, plain, q4f16"):
        recognize(folder, "q8")
    for name in ("encoder_model.onnx", "decoder_model_merged.onnx"):
        (folder / "onnx" / name).unlink()
    with pytest.raises(ConfigError, match="several models, choose one with --variant: int8, q4f16"):
        recognize(folder)


def test_a_decoder_in_two_graphs(tmp_path):
    names = ("encoder_model", "decoder_model", "decoder_with_past_model")
    folder = touched(tmp_path, *(f"{name}_quantized.onnx" for name in names))
    assert recognize(folder).graphs == {
        "encoder": "encoder_model_quantized.onnx",
        "decoder": "decoder_model_quantized.onnx",
        LATER_DECODER: "decoder_with_past_model_quantized.onnx",
    }


def test_the_only_encoder_goes_with_the_only_decoder(tmp_path):
    names = ("onnx/encoder_model_int8.onnx", "onnx/decoder_model_merged_fp16.onnx")
    found = recognize(touched(tmp_path, *names))
    assert tuple(found.graphs.values()) == names


@pytest.mark.parametrize("name", ["tiny.en-{}.int8.onnx", "{}.int8.onnx"])
def test_names_of_sherpa(name, tmp_path):
    folder = touched(tmp_path, *(name.format(part) for part in ("encoder", "decoder")))
    found = recognize(folder)
    assert (found.layout, found.variant) == ("sherpa", "int8")
    assert found.graphs["decoder"] == name.format("decoder")
    with pytest.raises(ConfigError, match=r"several models in one folder: .*small"):
        recognize(touched(folder, "small-encoder.onnx", "small-decoder.onnx"))


def test_a_folder_of_openvinos_hub(tmp_path):
    names = ("openvino_encoder_model.xml", "openvino_decoder_model.xml")
    found = recognize(touched(tmp_path, *names))
    assert (found.target, found.layout) == ("openvino", "genai")


def test_bad_folders_are_one_line(exports, original, tmp_path):
    with pytest.raises(ConfigError, match="is not a folder"):
        recognize(tmp_path / "nothing")
    with pytest.raises(ConfigError, match="holds no model to adopt"):
        recognize(touched(tmp_path / "half", "encoder_model.onnx"))
    names = ("encoder_model.onnx", "decoder_model_merged.onnx")
    with pytest.raises(ArtifactError, match=r"encoder_model\.onnx is not an ONNX graph"):
        found = recognize(touched(tmp_path / "empty", *names))
        (found.folder / names[0]).write_bytes(b"not a graph")
        adopt(found, tmp_path / "out", original)
    folder = tmp_path / "whisperless"
    shutil.copytree(exports("optimum"), folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "bart"}))
    with pytest.raises(ConfigError, match="model_type is 'bart'"):
        adopt(recognize(folder), tmp_path / "out", original)
    (exports("sherpa") / "small-tokens.txt").rename(tmp_path / "tokens.txt")
    try:
        with pytest.raises(ConfigError, match=r"small-tokens\.txt cannot be read"):
            adopt(recognize(exports("sherpa")), tmp_path / "out", original)
    finally:
        (tmp_path / "tokens.txt").rename(exports("sherpa") / "small-tokens.txt")
    assert not (tmp_path / "out").exists()


def test_an_artifact_is_not_adopted(artifact):
    with pytest.raises(ConfigError, match="is an artifact already"):
        recognize(artifact.folder)


def test_the_command_compares_transcribes_and_says_what_it_could_not_do(
    exports, checkpoint, call, recordings, tmp_path
):
    output = tmp_path / "artifact"
    ended = call("adopt", exports("optimum"), "--model", checkpoint, "--output", output)
    assert ended.status == 0, ended.err
    assert "token agreement 100.00%" in ended.out
    ended = call("adopt", exports("sherpa"), "--output", tmp_path / "words", "--json")
    assert ended.status == 0, ended.err
    assert json.loads(ended.out)["parity"]["parts"] == {}
    assert "words alone are judged; name it with --model" in ended.err
    ended = call("verify", tmp_path / "words")
    assert "words alone were judged: error rate" in ended.out
    assert "within tolerance" not in ended.err
    ended = call("adopt", tmp_path)
    assert (ended.status, ended.err.count("\n")) == (2, 1)


def test_what_weights_are_stored_as_is_counted_by_weights(tmp_path):
    """Four bits go two to a byte, and the float scales are more bytes than nothing."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from whisperq_edge.exporters.foreign import describe

    weights = [
        numpy_helper.from_array(np.zeros((64, 2, 16), np.uint8), "packed"),
        numpy_helper.from_array(np.zeros((64, 2), np.float32), "scales"),
        numpy_helper.from_array(np.zeros(2049, np.float16), "halves"),
    ]
    node = helper.make_node(
        "MatMulNBits",
        ["x", "packed", "scales"],
        ["y"],
        domain="com.microsoft",
        K=64,
        N=64,
        bits=4,
        block_size=32,
    )
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 64]) for name in "xy")
    model = helper.make_model(helper.make_graph([node], "small", [x], [y], weights))
    onnx.save(model, tmp_path / "small.onnx")
    found = describe("onnx", tmp_path, "small.onnx")
    assert found.precision == Precision("int4", 32)
    assert found.spec.inputs[0].shape == ("n", 64)
    halves = model.graph.initializer[2]
    halves.data_location = TensorProto.EXTERNAL
    halves.external_data.add(key="location", value="../halves.bin")
    (tmp_path / "small.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ArtifactError, match=r"names weights outside its folder: \.\./halves\.bin"):
        describe("onnx", tmp_path, "small.onnx")
