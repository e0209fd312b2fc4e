"""The artifact's contract: complete or not there, and checked when read."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from whisperq_edge.edge.artifact import MANIFEST, Artifact, sha256, staging_folder
from whisperq_edge.edge.errors import ArtifactError, ExportError, InferenceError
from whisperq_edge.edge.types import AudioContexts


@pytest.fixture
def copy(artifact, tmp_path):
    """A copy of the bundled model's artifact that a test may damage."""
    return shutil.copytree(artifact.folder, tmp_path / "copy")


def change(folder, **values):
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, **values}))


def test_what_is_written_is_read(artifact):
    again = Artifact.read(artifact.folder, digests=True)
    assert again.manifest == artifact.manifest
    assert again.size == sum(path.stat().st_size for path in artifact.folder.iterdir())
    files = again.manifest.files
    assert set(files) == {path.name for path in artifact.folder.iterdir()} - {MANIFEST}
    for name, record in files.items():
        assert record.sha256 == sha256(artifact.folder / name)


def test_another_folder_is_no_artifact(tmp_path):
    with pytest.raises(ArtifactError, match="whisperq-edge export"):
        Artifact.read(tmp_path)


@pytest.mark.parametrize("name", ["encoder.onnx", "weights.safetensors", "tokenizer.json"])
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(ArtifactError, match=f"{name} is missing"):
        Artifact.read(copy)


def test_a_truncated_file_is_named_without_hashing(copy):
    os.truncate(copy / "weights.safetensors", 1000)
    with pytest.raises(ArtifactError, match=r"weights\.safetensors changed"):
        Artifact.read(copy)


def test_a_flipped_bit_is_found_by_hashing(copy):
    data = bytearray((copy / "decoder.onnx").read_bytes())
    data[50] ^= 1
    (copy / "decoder.onnx").write_bytes(data)
    Artifact.read(copy)
    with pytest.raises(ArtifactError, match=r"decoder\.onnx changed"):
        Artifact.read(copy, digests=True)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"format_version": 1}, "format version is 1, this release reads 2"),
        ({"format_version": None}, "format version is None"),
        ({"unheard_of": 1}, "unheard_of"),
        ({"dimensions": {"n_mels": "eighty"}}, r"\$\.dimensions\.n_mels"),
        ({"graphs": {}}, None),
        ({"files": {}}, "files lacks"),
    ],
)
def test_a_wrong_manifest_says_where(copy, values, words):
    change(copy, **values)
    with pytest.raises(ArtifactError, match=words):
        Artifact.read(copy).path("encoder")


@pytest.mark.parametrize("content", ["", "[]", "{", "\x00"])
def test_a_manifest_that_is_no_json_is_one_line(copy, content):
    (copy / MANIFEST).write_text(content)
    with pytest.raises(ArtifactError, match=MANIFEST):
        Artifact.read(copy)


def test_a_failure_leaves_the_old_artifact_and_nothing_else(tmp_path):
    target = tmp_path / "artifact"
    target.mkdir()
    (target / MANIFEST).write_text("the old one")
    with pytest.raises(InferenceError), staging_folder(target) as folder:
        (folder / "half").write_text("written")
        raise InferenceError("in the middle")
    assert [path.name for path in tmp_path.iterdir()] == ["artifact"]
    assert (target / MANIFEST).read_text() == "the old one"


def test_success_replaces_the_old_artifact(tmp_path):
    target = tmp_path / "deep" / "artifact"
    for text in ("first", "second"):
        with staging_folder(target) as folder:
            (folder / MANIFEST).write_text(text)
        assert (target / MANIFEST).read_text() == text
    assert [path.name for path in target.parent.iterdir()] == ["artifact"]


def test_a_folder_or_file_of_the_user_is_never_replaced(tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.txt").write_text("mine")
    for name in ("file", "folder"):
        with (
            pytest.raises(ExportError, match="is not an artifact"),
            staging_folder(tmp_path / name),
        ):
            pass
    assert (tmp_path / "folder" / "thesis.txt").read_text() == "mine"


def test_what_a_killed_export_left_is_cleaned_up_by_the_next(tmp_path):
    stale = tmp_path / ".artifact.partial-x7"
    stale.mkdir()
    with staging_folder(tmp_path / "artifact") as folder:
        (folder / MANIFEST).touch()
    assert not stale.exists()


def test_audio_contexts_fit():
    free = AudioContexts(1500)
    assert [free.fit(n) for n in (0, 1, 300, 1500, 2000)] == [1, 1, 300, 1500, 1500]
    fixed = AudioContexts(1500, (250, 500, 1500))
    assert [fixed.fit(n) for n in (1, 250, 251, 501, 9999)] == [250, 250, 500, 1500, 1500]
