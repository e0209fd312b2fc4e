"""``whisperq-edge sensitivity`` as its users meet it: on the bundled model, and interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path

import pytest

from whisperq_edge.edge.evaluation.recipe_file import read_recipe_file
from whisperq_edge.models.checkpoint import load_checkpoint
from whisperq_edge.models.matrix_names import matrix_names

PROGRAM = Path(sys.executable).with_name("whisperq-edge")
N_MATRICES = 32  # of the bundled model
SHORT = ("14_yes.flac", "34_seven.flac")  # a word each: seconds instead of a minute


@pytest.fixture(scope="module")
def short_set(tmp_path_factory):
    """A set of two short recordings."""
    folder = Path(str(files("whisperq_edge.models"))) / "demo" / "recordings"
    lines = (folder / "manifest.jsonl").read_text().splitlines()
    rows = [row for row in map(json.loads, lines) if row["path"] in SHORT]
    made = tmp_path_factory.mktemp("set")
    write_set(made, [{**row, "path": str(folder / row["path"])} for row in rows])
    return made


@pytest.fixture
def brief(short_set):
    return "--data", short_set, "--precisions", "int4:32,int8"


def write_set(folder, rows):
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))


def journal_lines(data):
    files = (data / "sensitivity").glob("*.jsonl")
    return [line for path in files for line in path.read_text().splitlines(keepends=True)]


def test_the_table_the_curve_and_the_recipe(cli, tmp_path, brief):
    output = tmp_path / "mix.toml"
    arguments = ("sensitivity", *brief, "--max-loss", "0.005", "--output", output)
    ended = cli(*arguments)
    assert ended.status == 0, ended.err
    table, curve = ended.out.split("\nmixtures")
    assert table.splitlines()[0].split() == ["matrix", "MB", "int4:32", "int8"]
    names = [line.split()[0] for line in table.splitlines()[1:]]
    demo = load_checkpoint("demo", offline=True)
    assert sorted(names) == sorted(matrix_names(demo.dimensions))
    assert "kept" in curve
    assert "\x1b" not in ended.out
    assert f"export --recipe {output}" in ended.err
    file = read_recipe_file(output)
    assert file.checkpoint.digest == demo.digest
    assert file.measured.divergence <= 0.005
    assert file.measured.recordings == 2
    # Nothing smaller that was measured keeps the limit.
    again = json.loads(cli(*arguments, "--json").out)
    chosen = again["recipe"]["measured"]["n_bytes"]
    assert all(p["divergence"] > 0.005 for p in again["curve"] if p["bytes"] < chosen)
    assert again["losses"]["encoder.0.fc1"].keys() == {"int4:32", "int8"}
    assert set(again["losses"]) == set(names)
    # All of it was known the second time.
    assert read_recipe_file(output) == file


def test_a_killed_measurement_goes_on(cli, tmp_path, brief):
    data = tmp_path / "data"
    environment = {**os.environ, "WHISPERQ_EDGE_DATA": str(data)}
    with subprocess.Popen(
        [PROGRAM, "sensitivity", *brief],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        deadline = time.monotonic() + 120
        while len(journal_lines(data)) < 8 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    before = journal_lines(data)
    assert 8 <= len(before) < 1 + 2 * N_MATRICES
    ended = cli("sensitivity", *brief, "--json", env={"WHISPERQ_EDGE_DATA": str(data)})
    assert ended.status == 0, ended.err
    after = journal_lines(data)
    whole = [line for line in before if line.endswith("\n")]
    assert after[: len(whole)] == whole
    assert len(after) == 1 + 2 * N_MATRICES  # each figure once
    elsewhere = cli("sensitivity", *brief, "--json")
    assert json.loads(elsewhere.out)["losses"] == json.loads(ended.out)["losses"]


def test_gptq_loses_less_and_is_part_of_the_recipe(call, tmp_path, short_set):
    losses = {}
    for rounding in ("nearest", "gptq"):
        output = tmp_path / f"{rounding}.toml"
        ended = call(
            *("sensitivity", "--data", short_set, "--precisions", "int4:128"),
            *("--rounding", rounding, "--max-loss", "9", "--output", output, "--json"),
        )
        assert ended.status == 0, ended.err
        record = json.loads(ended.out)
        losses[rounding] = sum(
            row["int4:128"] for name, row in record["losses"].items() if "embed" not in name
        )
        file = read_recipe_file(output)
        assert file.rounding == rounding
        assert (file.calibration_digest is not None) is (rounding == "gptq")
        assert set(file.parts.values()) == {"int4:128"}
        assert file.layers == {}
    assert losses["gptq"] < 0.5 * losses["nearest"]


def test_a_heat_map_is_drawn_of_speech_of_the_users_own(call, tmp_path, short_set):
    ended = call(
        *("sensitivity", "--data", short_set, "--recordings", "1", "--precisions", "int8"),
        *("--json", "--plot", tmp_path / "heat.svg"),
    )
    assert ended.status == 0, ended.err
    assert json.loads(ended.out)["recordings"] == 1
    assert "encoder 0" in (tmp_path / "heat.svg").read_text()


def test_speech_without_words_is_no_measure(call, tmp_path, recordings):
    write_set(tmp_path, [{"path": str(recordings / "36_noise.flac"), "text": "", "speaker": "a"}])
    ended = call("sensitivity", "--data", tmp_path)
    assert ended.status == 2
    assert "no recording with words" in ended.err


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("--max-wer", "0.1", "--max-loss", "1"), 2, "exclude each other"),
        (("--wer-increase", "-0.1"), 2, "--wer-increase must not be below 0"),
        (("--target", "onix"), 2, "did you mean 'onnx'?"),
        (("--precisions", "int3"), 2, "did you mean"),
        (("--target", "tflite", "--precisions", "int8:64"), 4, "it offers"),
        (("--target", "qualcomm"), 4, "nothing to choose between"),
        (("--rounding", "gpt"), 2, "did you mean 'gptq'?"),
        (("--calibration", "demo"), 2, "--rounding gptq"),
        (("--plot", "heat.jpeg"), 2, ".svg or .png"),
        (("tinny", "--offline"), 2, "did you mean 'tiny'?"),
        (("--data", "nowhere"), 2, "there is no set 'nowhere'"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(call, arguments, status, words):
    ended = call("sensitivity", *arguments)
    assert ended.status == status
    assert words in ended.err
    assert len(ended.err.strip().splitlines()) == 1
    assert not ended.out


def test_a_limit_that_cannot_be_kept_still_shows_the_table(call, tmp_path, brief):
    output = tmp_path / "mix.toml"
    ended = call(
        *("sensitivity", *brief, "--max-loss", "1e-12", "--output", output),
    )
    assert ended.status == 2
    assert "not even the finest mixture keeps a divergence of 1e-12" in ended.err
    assert "encoder.0.fc1" in ended.out
    assert not output.exists()
