"""``whisperq-edge export`` and ``verify``, as their users meet them."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from whisperq_edge.edge.artifact import Artifact
from whisperq_edge.edge.cli.export_index import data_folder, newest_export

pytest.importorskip("onnx", reason="exporting ONNX needs onnx")
PROGRAM = Path(sys.executable).with_name("whisperq-edge")


def test_the_plain_command_works_as_it_stands(cli):
    ended = cli("export", "--target", "onnx", "--int8")
    assert ended.status == 0, ended.err
    assert "bundled demo model" in ended.err
    folder = data_folder() / "artifacts" / "demo-onnx-int8"
    assert newest_export() == folder
    assert str(folder) in ended.out
    for word in ("encoder", "decoder", "head", "int8", "token agreement", "word error rate"):
        assert word in ended.out
    assert Artifact.read(folder, digests=True).manifest.parity is not None


def test_json_is_all_of_stdout(cli, tmp_path):
    ended = cli("export", "--fp16", "--no-verify", "--json", "--output", tmp_path / "a")
    assert ended.status == 0, ended.err
    record = json.loads(ended.out)
    assert record["artifact"] == str(tmp_path / "a")
    assert record["bytes"] == Artifact.read(tmp_path / "a").size
    assert record["parity"] is None
    assert record["quantization"]["encoder"]["name"] == "fp16"


def test_a_part_can_have_its_own_precision(call, tmp_path):
    ended = call(
        *("export", "--int8", "--quant-decoder", "int4:64", "--no-verify"),
        *("--output", tmp_path / "a", "--json"),
    )
    assert ended.status == 0, ended.err
    stored = json.loads(ended.out)["quantization"]
    assert stored["decoder"] == {"name": "int4", "block": 64}
    assert stored["encoder"] == {"name": "int8", "block": None}


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("--target", "onix"), 2, "did you mean 'onnx'?"),
        (("--model", "tinny", "--offline"), 2, "did you mean 'tiny'?"),
        (("--int8", "--int4"), 2, "exclude each other"),
        (("--quant-head", "int9"), 2, "unknown precision 'int9'; did you mean 'int8'?"),
        (("--quant-head", "int8:x"), 2, "PRECISION[:BLOCK]"),
        (("--int8", "--quant-block", "33"), 4, "block of 33"),
        (("--fp16", "--quant-block", "32"), 4, "no choice of blocks"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(call, arguments, status, words):
    ended = call("export", *arguments)
    assert ended.status == status
    error = ended.err.splitlines()[-1]
    assert error.startswith("error: ")
    assert words in error
    assert not data_folder().exists()


def test_a_folder_of_something_else_is_not_touched(call, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    ended = call("export", "--no-verify", "--output", tmp_path)
    assert ended.status == 4
    assert "is not an artifact" in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_missing_library_names_the_pip_command(cli, tmp_path):
    blocker = "import sys\nsys.modules['onnx'] = None\n"
    (tmp_path / "sitecustomize.py").write_text(blocker)
    ended = cli("export", "--output", tmp_path / "a", env={"PYTHONPATH": str(tmp_path)})
    assert ended.status == 3
    assert ended.err.splitlines()[-1].endswith("pip install 'whisperq-edge[onnx]'")
    assert not (tmp_path / "a").exists()


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path):
    limit = 1 << 20  # bytes in any one file; the weights need more

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run(
        [PROGRAM, "export", "--no-verify", "--output", tmp_path / "a"],
        capture_output=True,
        text=True,
        preexec_fn=limited,
        timeout=120,
        check=False,
    )
    assert done.returncode == 4
    assert done.stderr.splitlines()[-1].startswith("error: cannot write ")
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_is_killed_leaves_no_artifact(tmp_path, cli):
    with subprocess.Popen(
        [PROGRAM, "export", "--output", tmp_path / "a"], stderr=subprocess.DEVNULL
    ) as process:
        while not list(tmp_path.iterdir()):  # until it writes
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "a").exists()
    assert newest_export() is None
    assert cli("export", "--no-verify", "--output", tmp_path / "a").status == 0
    assert [path.name for path in tmp_path.iterdir()] == ["a"], "the next export cleans up"


def test_verify_accepts_what_export_made(cli, artifact):
    ended = cli("verify", artifact.folder)
    assert ended.status == 0, ended.err
    assert "token agreement" in ended.out
    assert ended.err.splitlines()[-1] == "within tolerance"


def test_verify_refuses_a_changed_file(call, artifact, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in artifact.folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    changed = bytearray((copy / "tokenizer.json").read_bytes())
    changed[100] ^= 1
    (copy / "tokenizer.json").write_bytes(changed)
    ended = call("verify", copy)
    assert (ended.status, ended.out) == (5, "")
    assert "tokenizer.json changed after the export" in ended.err


def test_verify_refuses_what_is_past_its_tolerance(cli, artifact, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in artifact.folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    manifest = json.loads((copy / "artifact.json").read_text())
    manifest["tolerance"]["relative_error"] = -1.0
    (copy / "artifact.json").write_text(json.dumps(manifest))
    ended = cli("verify", copy, "--json")
    assert ended.status == 4
    assert json.loads(ended.out)["parity"]["parts"]
    assert "encoder: relative error is" in ended.err.splitlines()[-1]


def test_verify_says_what_is_not_an_artifact(call, tmp_path):
    ended = call("verify", tmp_path)
    assert ended.status == 5
    assert "whisperq-edge export" in ended.err
