"""``whisperq-edge evaluate``, as its users meet it."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from whisperq_edge.edge.accuracy.marked_text import marked_words
from whisperq_edge.edge.cli.evaluate_output import COLUMNS
from whisperq_edge.edge.errors import AudioError
from whisperq_edge.tests.demo_artifacts import demo_artifact

PROGRAM = Path(sys.executable).with_name("whisperq-edge")
N = 12  # recordings that are judged


@pytest.fixture(scope="module")
def other():
    """The same model in other integers, which make other mistakes."""
    return demo_artifact("onnx", "int4")


@pytest.fixture
def evaluate(call, artifact, other):
    """Judge two artifacts by the first recordings of the bundled set."""

    def run(*arguments, data="demo", artifacts=(artifact.folder, other.folder)):
        return call("evaluate", *artifacts, "--data", data, "--workers", 1, *arguments)

    return run


@pytest.fixture(scope="module")
def spoken(recordings, tmp_path_factory):
    """A set of recordings, some without speech; the last two are hard for the bundled model."""
    folder = tmp_path_factory.mktemp("set")
    lines = (recordings / "manifest.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    rows = [*rows[35 : 35 + N - 2], rows[4], rows[-1]]
    for row in rows:
        shutil.copy(recordings / row["path"], folder)
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder, rows


def results_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_figures_are_those_of_jiwer(evaluate, spoken, tmp_path, artifact, other):
    """From the texts as they are recorded, with nothing of ours but the normalizer."""
    jiwer = pytest.importorskip("jiwer")
    english = pytest.importorskip("whisper_normalizer.english")
    folder, rows = spoken
    path = tmp_path / "results.jsonl"
    ended = evaluate("--results", path, "--json", data=folder)
    assert ended.status == 0, ended.err
    found = json.loads(ended.out)
    assert (found["set"], found["n_utterances"]) == (folder.name, N)
    assert found["results"] == str(path)
    assert found["failures"] == {}
    names = [artifact.folder.name, other.folder.name]
    assert [one["name"] for one in found["artifacts"]] == names
    normalize = english.EnglishTextNormalizer()
    wer = {}
    for one in found["artifacts"]:
        texts = {r["id"]: r for r in results_of(path) if r["artifact"] == one["digest"]}
        assert len(texts) == N
        said = {row["path"]: normalize(row["text"]) for row in rows}
        spoken_ids = [name for name in said if said[name]]
        silent_words = sum(
            len(normalize(texts[name]["text"]).split()) for name in said if not said[name]
        )
        truth = [said[name] for name in spoken_ids]
        heard = [normalize(texts[name]["text"]) for name in spoken_ids]
        words = jiwer.process_words(truth, heard)
        n_words = words.hits + words.substitutions + words.deletions
        assert one["n_words"] == n_words
        assert one["substitutions"] == pytest.approx(words.substitutions / n_words)
        assert one["deletions"] == pytest.approx(words.deletions / n_words)
        assert one["insertions"] == pytest.approx((words.insertions + silent_words) / n_words)
        errors = words.wer * n_words + silent_words
        wer[one["name"]] = one["wer"]["estimate"]
        assert wer[one["name"]] == pytest.approx(errors / n_words)
        assert one["wer"]["low"] <= one["wer"]["estimate"] <= one["wer"]["high"]
        if not silent_words:
            assert one["cer"]["estimate"] == pytest.approx(jiwer.cer(truth, heard))
        compute_s = sum(r["compute_s"] for r in texts.values())
        sound_s = sum(r["duration_s"] for r in texts.values())
        assert one["real_time_factor"] == pytest.approx(compute_s / sound_s)
    (difference,) = found["differences"]
    assert (difference["artifact"], difference["beside"]) == (names[1], names[0])
    assert difference["estimate"] == pytest.approx(wer[names[1]] - wer[names[0]])
    assert difference["estimate"] != 0  # or this would show nothing
    assert 0 < difference["p_value"] <= 1
    worst = found["worst"]
    assert 2 <= len(worst) <= 5
    counts = [max(one["errors"].values()) for one in worst]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]
    assert all(set(one["texts"]) == set(names) for one in worst)


def test_a_pipe_gets_plain_text(evaluate, spoken, tmp_path):
    folder, _ = spoken
    path = tmp_path / "results.jsonl"
    ended = evaluate("--results", path, "--worst", 2, data=folder)
    assert ended.status == 0, ended.err
    assert ended.out.isascii()
    assert "\x1b" not in ended.out
    header, first, second, difference, *worst = ended.out.splitlines()
    assert re.split(r"\s{2,}", header) == list(COLUMNS)
    rate = r"\d+\.\d\d% \(\d+\.\d-\d+\.\d\)"
    share = r"\d+\.\d\d%"
    row = rf"\s+\d+\s+{rate}\s+{rate}\s+{share}\s+{share}\s+{share}\s+{rate}\s+{rate}\s+\d\.\d+"
    assert re.fullmatch("demo-onnx-int8" + row, first)
    assert re.fullmatch("demo-onnx-int4" + row, second)
    assert re.fullmatch(
        r"demo-onnx-int4 - demo-onnx-int8: [+-]\d+\.\d\d points of WER "
        r"\([+-]\d+\.\d\d to [+-]\d+\.\d\d\), p = [\d.e-]+, \d+ speakers",
        difference,
    )
    assert len(worst) == 2 * 5  # an empty line, the name, what was said, and two texts
    _, name, said, *texts = worst[:5]
    assert re.fullmatch(r"\d\d_\w+\.flac \([\w. ]+\)", name)
    assert said.split()[0] == "said"
    assert any("[" in text for text in texts)
    assert f"results: {path}" in ended.err


@pytest.mark.parametrize("colours", [True, False])
def test_a_terminal_gets_colours_unless_it_wants_none(artifact, spoken, colours):
    folder, _ = spoken
    environment = {name: text for name, text in os.environ.items() if name != "NO_COLOR"}
    if not colours:
        environment["NO_COLOR"] = "1"
    parent, child = pty.openpty()
    command = [PROGRAM, "evaluate", artifact.folder, "--data", folder, "--worst", "1"]
    with subprocess.Popen(command, stdout=child, stderr=subprocess.DEVNULL, env=environment) as run:
        os.close(child)
        shown = b""
        try:
            while piece := os.read(parent, 4096):
                shown += piece
        except OSError:
            pass  # the other end is closed
        os.close(parent)
    assert run.returncode == 0
    worst = shown.decode().rpartition("  said")[2]
    assert ("\x1b[31m" in worst) is colours
    assert ("[" in worst.replace("\x1b[", "")) is not colours


def test_what_is_recorded_is_not_done_again(evaluate, spoken, tmp_path, monkeypatch, artifact):
    folder, _ = spoken
    path = tmp_path / "results.jsonl"
    one = (artifact.folder,)
    first = evaluate("--results", path, "--limit", 5, "--json", data=folder, artifacts=one)
    assert len(results_of(path)) == 5
    assert "already" not in first.err
    second = evaluate("--results", path, "--json", data=folder, artifacts=one)
    assert f"5 of {N} results are there already" in second.err
    before = path.read_bytes()
    third = evaluate("--results", path, "--json", data=folder, artifacts=one)
    assert f"{N} of {N} results are there already" in third.err
    assert path.read_bytes() == before
    assert json.loads(third.out) == json.loads(second.out)
    changed = evaluate("--results", path, "--beam-size", 2, data=folder, artifacts=one)
    assert "already" not in changed.err
    assert len(results_of(path)) == 2 * N


def test_results_have_a_place_of_their_own_for_each_set(evaluate, spoken, artifact):
    folder, _ = spoken
    for data in ("demo", folder, f"{folder}/", "demo", folder / "manifest.jsonl"):
        evaluate("--limit", 1, data=data, artifacts=(artifact.folder,))
    place = Path(os.environ["WHISPERQ_EDGE_DATA"]) / "evaluations"
    assert len(list(place.glob("demo-*.jsonl"))) == 1
    assert len(list(place.glob(f"{folder.name}-*.jsonl"))) == 2


def test_a_killed_run_goes_on_and_does_nothing_twice(cli, artifact, other, spoken, tmp_path):
    """Killed when the first artifact's results are recorded, and the second's are on their way."""
    folder, _ = spoken
    path = tmp_path / "results.jsonl"
    arguments = ["evaluate", artifact.folder, other.folder, "--data", folder, "--workers", "1"]
    arguments += ["--results", path, "--beam-size", "3"]  # so that there is time to kill it
    run = subprocess.Popen(
        [PROGRAM, *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while run.poll() is None and not (path.exists() and path.stat().st_size):
        time.sleep(0.002)
    assert run.poll() is None, "it was over before it could be killed"
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    with path.open("ab") as file:
        file.write(b'{"key":"torn')
    n_done = path.read_bytes().count(b"\n")
    assert 0 < n_done < 2 * N
    before = path.read_bytes().rpartition(b"\n")[0]
    ended = cli(*arguments, "--json")
    assert ended.status == 0, ended.err
    assert f"{n_done} of {2 * N} results are there already" in ended.err
    assert path.read_bytes().startswith(before)
    keys = [result["key"] for result in results_of(path)]
    assert len(keys) == len(set(keys)) == 2 * N
    assert [one["n_utterances"] for one in json.loads(ended.out)["artifacts"]] == [N, N]


def test_an_interrupted_run_says_what_is_kept(artifact, other, spoken, tmp_path):
    folder, _ = spoken
    path = tmp_path / "results.jsonl"
    arguments = ["evaluate", artifact.folder, other.folder, "--data", folder, "--workers", "1"]
    run = subprocess.Popen(
        [PROGRAM, *map(str, arguments), "--results", path, "--beam-size", "3"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        # A shell that starts the tests in the background has it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while run.poll() is None and not (path.exists() and path.stat().st_size):
        time.sleep(0.002)
    os.killpg(run.pid, signal.SIGINT)
    out, err = run.communicate(timeout=60)
    assert (run.returncode, out) == (130, b"")
    kept, last = err.decode().splitlines()
    assert kept == f"{len(results_of(path))} results are in {path}; the same command goes on there"
    assert last == "interrupted"


def test_what_cannot_be_heard_is_told_at_the_end_and_tried_again(evaluate, spoken, tmp_path):
    folder, rows = spoken
    manifest = tmp_path / "set.jsonl"
    sound = tmp_path / "bad.flac"
    sound.write_bytes(b"fLaC and nothing")
    names = [str(folder / row["path"]) for row in rows[:3]] + [str(sound)]
    rows = [{"path": name, "text": row["text"]} for name, row in zip(names, rows[6:], strict=False)]
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = tmp_path / "results.jsonl"
    ended = evaluate("--results", path, "--json", data=manifest)
    assert ended.status == AudioError.exit_code
    last, before = ended.err.splitlines()[-1], ended.err.splitlines()[-2]
    for name, line in (("demo-onnx-int4", last), ("demo-onnx-int8", before)):
        assert line.startswith(f"error: {name}, bad.flac: {sound} is not a sound file")
    found = json.loads(ended.out)
    assert [one["n_utterances"] for one in found["artifacts"]] == [3, 3]
    assert {name: [one["id"] for one in failures] for name, failures in found["failures"].items()}
    assert len(results_of(path)) == 6
    shutil.copy(folder / spoken[1][3]["path"], sound)
    ended = evaluate("--results", path, "--json", data=manifest)
    assert ended.status == 0, ended.err
    assert "6 of 8 results are there already" in ended.err


def test_a_set_of_silence_has_no_rate(evaluate, tmp_path, artifact):
    soundfile.write(tmp_path / "silence.wav", np.zeros(16_000, np.float32), 16_000)
    (tmp_path / "manifest.jsonl").write_text('{"path": "silence.wav", "text": ""}\n')
    ended = evaluate(data=tmp_path)
    assert ended.status == 0, ended.err
    _, first, second = ended.out.splitlines()
    assert first.split()[1:7] == ["0", "-", "-", "-", "-", "-"]
    assert second.split()[1:7] == ["0", "-", "-", "-", "-", "-"]


def test_nothing_recorded_is_an_error_alone(evaluate, tmp_path):
    (tmp_path / "bad.flac").write_bytes(b"fLaC and nothing")
    (tmp_path / "manifest.jsonl").write_text('{"path": "bad.flac", "text": "x"}\n')
    ended = evaluate(data=tmp_path)
    assert ended.status == AudioError.exit_code
    assert ended.out == ""


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--data", "nowhere"], 2, "there is no set 'nowhere'"),
        (["--data", "demo", "--condition", "loud"], 2, "unknown condition 'loud'"),
        (["--data", "demo", "--variant", "loud"], 2, "'loud' is not one of"),
        (["--data", "demo", "--variant", "streaming", "--beam-size", "2"], 2, "greedily"),
        (["--data", "demo", "--device", "GPU"], 6, "onnx artifacts have no choice of --device"),
        (["--data", "demo", "--ep", "cuda"], 6, "cuda"),
        (["--data", "demo", "--workers", "1", "--cluster", "tcp://x:1"], 2, "--workers are of"),
        (["--data", "demo", "--limit", "0"], 2, "--limit"),
        ([], 2, "--data"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(call, artifact, arguments, status, said):
    ended = call("evaluate", artifact.folder, *arguments)
    assert ended.status == status
    assert ended.out == ""
    (line,) = ended.err.splitlines()
    assert line.startswith("error: ")
    assert said in line
    assert "utterances" not in line  # it was not found out by trying
    place = Path(os.environ["WHISPERQ_EDGE_DATA"]) / "evaluations"
    assert not list(place.glob("*"))


def test_artifacts_are_looked_at_first(call, artifact, tmp_path):
    ended = call("evaluate", artifact.folder, tmp_path, "--data", "demo")
    assert (ended.status, ended.out) == (5, "")
    assert f"{tmp_path} is not an artifact" in ended.err
    copy = shutil.copytree(artifact.folder, tmp_path / "copy")
    ended = call("evaluate", artifact.folder, copy, "--data", "demo")
    assert ended.status == 2
    assert f"{copy} is the same artifact as {artifact.folder}" in ended.err


@pytest.mark.parametrize(
    ("module", "extra"), [("whisper_normalizer", "evaluate"), ("jiwer", "verify")]
)
def test_a_missing_library_is_told_before_the_work(cli, artifact, tmp_path, module, extra):
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.modules['{module}'] = None\n")
    path = tmp_path / "results.jsonl"
    ended = cli(
        *("evaluate", artifact.folder, "--data", "demo", "--results", path),
        env={"PYTHONPATH": str(tmp_path)},
    )
    assert ended.status == 3
    (line,) = ended.err.splitlines()
    assert f"pip install 'whisperq-edge[{extra}]'" in line
    assert not path.exists()


def test_a_set_without_speakers_is_told(evaluate, spoken, tmp_path, artifact):
    folder, rows = spoken
    keys = ("path", "text")
    lines = [json.dumps({key: row[key] for key in keys}) + "\n" for row in rows[-2:]]
    shutil.copytree(folder, tmp_path / "set")
    (tmp_path / "set" / "manifest.jsonl").write_text("".join(lines))
    one = (artifact.folder,)
    ended = evaluate(data=tmp_path / "set", artifacts=one)
    assert "the set names no speakers" in ended.err
    assert "no speakers" not in evaluate("--limit", 1, data=folder, artifacts=one).err


def test_names_tell_artifacts_apart(call, artifact, other, tmp_path):
    for name, folder in (("a", artifact.folder), ("b", other.folder)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "same").symlink_to(folder)
    ended = call(
        *("evaluate", tmp_path / "a" / "same", tmp_path / "b" / "same"),
        *("--data", "demo", "--limit", 1, "--json"),
    )
    assert [one["name"] for one in json.loads(ended.out)["artifacts"]] == ["a/same", "b/same"]


@pytest.mark.parametrize(
    ("reference", "text", "marked"),
    [
        ("a b c", "a b c", "right:a right:b right:c"),
        ("a b c", "a x c", "right:a wrong:x right:c"),
        ("a b c", "a c", "right:a missing:b right:c"),
        ("a b", "a b c", "right:a right:b wrong:c"),
        ("a b", "", "missing:a missing:b"),
        ("", "a b", "wrong:a wrong:b"),
        ("", "", ""),
    ],
)
def test_words_are_marked_by_the_fewest_edits(reference, text, marked):
    pytest.importorskip("jiwer")
    assert " ".join(f"{one.mark}:{one.word}" for one in marked_words(reference, text)) == marked
