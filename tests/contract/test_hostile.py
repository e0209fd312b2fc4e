"""Hostile and unlucky cases, on every target: odd checkpoints, and artifacts that came to harm."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from whisperq_edge.edge.artifact import MANIFEST, Artifact
from whisperq_edge.edge.errors import ArtifactError, ExportError, ParityError
from whisperq_edge.edge.evaluation import teacher
from whisperq_edge.edge.evaluation.export import export
from whisperq_edge.edge.types import ModelDimensions
from whisperq_edge.exporters import TARGETS, ExportRequest
from whisperq_edge.models.checkpoint import load_checkpoint
from whisperq_edge.models.random_checkpoint import write_random_checkpoint
from whisperq_edge.runtimes import open_session

from .sessions import FORMS, WINDOWS, artifact, needs, recipe

# Every target in its main layout: what is odd here does not depend on the precision.
INT8 = [
    name
    for name, form in FORMS.items()
    if form.layout == "native" and form.precision in ("int8", "q8_0")
]
N_VOCAB = 51865
WEIGHTS = "model.safetensors"
PROMPT = np.array([[50258, 50259, 50359, 50363]])


def dimensions(n_vocab=N_VOCAB, n_mels=80):
    return ModelDimensions(n_mels, 1500, 64, 2, 1, n_vocab, 448, 64, 2, 1)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return write_random_checkpoint(tmp_path_factory.mktemp("hostile") / "mini", dimensions())


@pytest.fixture
def folder(original, tmp_path):
    """A checkpoint that a test may break."""
    return shutil.copytree(original, tmp_path / "mini")


@pytest.fixture(params=INT8)
def form(request):
    needs(request.param)
    return request.param


@pytest.fixture
def few_recordings(monkeypatch):
    """What goes wrong here goes wrong in the first window."""
    monkeypatch.setattr(teacher, "MAX_RECORDINGS", teacher.MIN_RECORDINGS)


@pytest.fixture
def copy(form, tmp_path):
    """A copy of an artifact that a test may damage."""
    return shutil.copytree(artifact(form).folder, tmp_path / "copy")


def change(folder, **values):
    """Set parts of tensors: by name, an index and what to put there."""
    tensors = {name: value.copy() for name, value in load_file(folder / WEIGHTS).items()}
    for name, (index, value) in values.items():
        tensors[f"model.{name}"][index] = value
    save_file(tensors, folder / WEIGHTS)


def exported(form, folder, output):
    """Export and verify, with windows as short as the other tests' where lengths are fixed."""
    target, layout, precision = FORMS[form]
    windows = WINDOWS if TARGETS[target].layouts[layout].windows == "choice" else ()
    request = ExportRequest(load_checkpoint(folder), recipe(precision), layout, windows)
    return export(target, request, output)


def logits(made):
    """What an artifact makes of a window of noise."""
    with open_session(made, threads=1) as session:
        shape = (made.manifest.dimensions.n_mels, 2 * session.contexts.fit(60))
        session.encode(np.random.default_rng(0).normal(0, 0.5, shape).astype(np.float32))
        return session.step(PROMPT).copy()


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("tensor", "value"),
    [("encoder.layers.0.fc2.weight", np.nan), ("decoder.embed_tokens.weight", -np.inf)],
)
def test_weights_that_are_not_finite_are_named_and_nothing_is_left(
    form, folder, call, tmp_path, tensor, value
):
    change(folder, **{tensor: ((7, 5), value)})
    output = tmp_path / "out" / "artifact"
    target = FORMS[form].target
    ended = call("export", "--target", target, "--model", folder, "--output", output)
    assert ended.status == 2
    line = ended.err.strip().splitlines()[-1]
    assert line == f"error: mini: {tensor} holds NaN or infinity; the checkpoint is damaged"
    assert not output.parent.exists() or not any(output.parent.iterdir())


def test_channels_and_matrices_of_zeros_are_exact(form, folder, tmp_path, few_recordings):
    """Pruned models have them; a scale must not become zero, or so large that noise shows."""
    change(
        folder,
        **{
            "encoder.layers.0.fc1.weight": (5, 0),  # an output channel
            "encoder.layers.0.fc2.weight": (np.s_[:, 7], 0),  # an input channel
            "encoder.layers.0.self_attn_layer_norm.weight": (3, 0),
            "encoder.layers.0.self_attn_layer_norm.bias": (3, 0),
            "decoder.layers.0.self_attn.q_proj.weight": (np.s_[:], 0),
            "decoder.layers.0.fc2.weight": (np.s_[:], 0),
            "decoder.embed_tokens.weight": (100, 0),
        },
    )
    made = exported(form, folder, tmp_path / "artifact")
    found = logits(made)
    assert np.isfinite(found).all()
    # The row of zeros is no token's: its logit is zero, but for what the kernel rounds.
    assert abs(found[0, 100]) < 1e-4 * np.abs(found).max()


def test_a_huge_channel_is_exported_or_refused(form, folder, tmp_path, few_recordings):
    """The layers after it are sure to see numbers that a half does not hold."""
    tensors = load_file(folder / WEIGHTS)
    fc1 = tensors["model.encoder.layers.0.fc1.weight"][5] * 1e4
    gain = tensors["model.decoder.layers.0.final_layer_norm.weight"][9] * 1e3
    change(
        folder,
        **{
            "encoder.layers.0.fc1.weight": (5, fc1),
            "decoder.layers.0.final_layer_norm.weight": (9, gain),
        },
    )
    output = tmp_path / "out" / "artifact"
    try:
        made = exported(form, folder, output)
    except ParityError as error:
        assert "the artifact was refused" in str(error)
        assert not any(output.parent.iterdir())
        return
    assert np.isfinite(logits(made)).all()


@pytest.mark.parametrize(("n_vocab", "n_mels"), [(51864, 80), (51866, 128)])
def test_the_other_official_shapes(form, tmp_path, few_recordings, n_vocab, n_mels):
    folder = write_random_checkpoint(tmp_path / "mini", dimensions(n_vocab, n_mels))
    made = exported(form, folder, tmp_path / "artifact")
    assert logits(made).shape == (1, n_vocab)


def test_a_fine_tune_with_its_own_tokens_and_padding(form, folder, tmp_path, few_recordings):
    """Two new words, and rows up to a multiple of 64, which multiply faster in training."""
    content = json.loads((folder / "tokenizer.json").read_text())
    for i, word in enumerate((" Gugelhupf", " Topfenstrudel")):
        new = {"id": N_VOCAB + i, "content": word, "special": False}
        content["added_tokens"].append(content["added_tokens"][-1] | new)
    (folder / "tokenizer.json").write_text(json.dumps(content))
    n_vocab = -(-N_VOCAB // 64) * 64
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"vocab_size": n_vocab}))
    tensors = load_file(folder / WEIGHTS)
    table = tensors["model.decoder.embed_tokens.weight"]
    rows = np.random.default_rng(0).normal(0, 0.05, (n_vocab - N_VOCAB, 64)).astype(np.float32)
    tensors["model.decoder.embed_tokens.weight"] = np.concatenate([table, rows])
    save_file(tensors, folder / WEIGHTS)
    if FORMS[form].target == "ggml":  # whisper.cpp would take other tokens for the special ones
        with pytest.raises(ExportError, match=f"official vocabularies alone.* {n_vocab} tokens"):
            exported(form, folder, tmp_path / "artifact")
        assert not (tmp_path / "artifact").exists()
        return
    made = exported(form, folder, tmp_path / "artifact")
    assert logits(made).shape == (1, n_vocab)


def test_an_artifact_may_be_moved(form, copy, tmp_path):
    moved = shutil.move(copy, tmp_path / "another" / "place")
    np.testing.assert_array_equal(
        logits(Artifact.read(moved, digests=True)), logits(artifact(form))
    )


def test_a_truncated_file_is_named(copy):
    for name, record in Artifact.read(copy).manifest.files.items():
        content = (copy / name).read_bytes()
        os.truncate(copy / name, record.size - 1)
        with pytest.raises(ArtifactError) as caught:
            Artifact.read(copy)
        assert str(caught.value) == f"{copy}: {name} changed after the export; export it again"
        (copy / name).write_bytes(content)
    Artifact.read(copy, digests=True)


def test_a_file_with_one_bit_flipped_is_named(copy, call):
    for name in Artifact.read(copy).manifest.files:
        content = (copy / name).read_bytes()
        flip_a_bit(copy / name)
        with pytest.raises(ArtifactError) as caught:
            Artifact.read(copy, digests=True)
        assert f": {name} changed after the export" in str(caught.value)
        damaged = call("verify", copy)
        assert (damaged.status, damaged.out) == (5, "")
        assert f"{name} changed after the export" in " ".join(damaged.err.split())
        (copy / name).write_bytes(content)


def test_an_artifact_of_a_newer_version_is_one_line(copy, call):
    manifest = json.loads((copy / MANIFEST).read_text())
    newer = manifest | {"format_version": manifest["format_version"] + 1, "new_field": [1]}
    (copy / MANIFEST).write_text(json.dumps(newer))
    ended = call("verify", copy)
    assert ended.status == 5
    assert len(ended.err.strip().splitlines()) == 1
    assert f"format version is {newer['format_version']}, this release reads" in ended.err


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"\x00\xff\xfe", b'{"format_version": 1}', b"[" * 9999]
)
def test_garbage_in_the_manifest_is_one_line(call, tmp_path, content):
    (tmp_path / MANIFEST).write_bytes(content)
    ended = call("verify", tmp_path)
    assert ended.status == 5
    assert len(ended.err.strip().splitlines()) == 1
    assert MANIFEST in ended.err
