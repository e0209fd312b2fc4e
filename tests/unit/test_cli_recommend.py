"""``whisperq-edge recommend``: which record it takes, what it prints, and what it saves."""

from __future__ import annotations

import json
import os
import shlex

import msgspec
import pytest

from whisperq_edge.edge.cli.chosen_artifact import export_command
from whisperq_edge.edge.cli.export_index import data_folder, record_export
from whisperq_edge.edge.cli.recommend_options import memory_bytes
from whisperq_edge.edge.cli.settings_file import read_settings, settings_path, write_settings
from whisperq_edge.edge.errors import ConfigError, WhisperqError
from whisperq_edge.edge.profiling.configuration import candidate
from whisperq_edge.edge.profiling.devices import device
from whisperq_edge.edge.profiling.read_board import read_board
from whisperq_edge.edge.profiling.record_file import write_record

from ..records import BOARD, configuration, errors, outcome, record

PI_4 = msgspec.structs.replace(
    BOARD, model="Raspberry Pi 4 Model B Rev 1.5", device_id="raspberry-pi-4"
)


def shelve(name, *outcomes, board=BOARD, created="2026-11-28T08:00:00Z"):
    path = data_folder() / "profiles" / name
    write_record(record(*outcomes, board=board, created=created), path)
    return path


def here(**more):
    return msgspec.structs.replace(read_board(), memory_limit_bytes=None, **more)


def measured(artifact, threads=2):
    return outcome(0.1, candidate(artifact, threads).configuration)


def test_a_record_that_is_named(call):
    path = shelve("a.json", outcome(0.2), outcome(0.1, configuration(threads=4)))
    ended = call("recommend", path)
    assert (ended.status, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[0] == "Raspberry Pi 5 Model B Rev 1.0 (a.json)"
    assert lines[1] == (
        "use: tiny int8 openvino, 4 threads: 0.1 of real time, 118 MB, 4.1 % of words wrong"
    )
    assert lines[-1].startswith("tiny int8 openvino, 2 threads  slower at the same words")


def test_the_newest_record_of_this_machine(call):
    shelve("b.json", outcome(0.2), board=here(), created="2026-11-28T08:00:00+00:00")
    shelve(
        "a.json",
        outcome(0.1, configuration(threads=4)),
        board=here(),
        created="2026-11-28T09:00:00Z",
    )
    shelve("c.json", outcome(0.1), created="2026-11-28T10:00:00Z")
    (data_folder() / "profiles" / "d.json").write_text("{")
    ended = call("recommend", "--json")
    assert json.loads(ended.out)["record"].endswith("a.json")
    assert ended.err.startswith("left out: ")
    assert "d.json" in ended.err


def test_no_record_at_all(call):
    if read_board().device_id is not None:
        pytest.skip("this machine is one of devices/, and has its default")
    ended = call("recommend")
    assert ended.status == 2
    assert ended.err.startswith("error: this machine was not profiled")
    assert len(ended.err.splitlines()) == 1


def test_nothing_within_the_limits_is_one_line_and_a_status(call):
    path = shelve("a.json", outcome(0.2))
    ended = call("recommend", path, "--max-memory", "60MB")
    assert ended.status == 1
    assert ended.err == (
        "error: no configuration keeps the limit; the nearest is tiny int8 openvino, 2 threads: "
        "it needs 129.8 MB of memory (118.0 MB and 10 %), 69.8 MB over the limit of 60.0 MB\n"
    )
    both = call("recommend", path, "--max-memory", "60MB", "--max-wer", "0.01", "--json")
    assert both.status == 1
    assert "keeps the limits" in both.err
    told = json.loads(both.out)
    assert (told["choice"], told["artifact"]) == (None, None)
    assert told["others"][0]["reason"].count("over the limit of") == 2


def test_every_limit_reaches_the_choice(call):
    path = shelve("a.json", outcome(0.2, errors=errors(41)))
    given = ("--max-memory", "1GiB", "--max-wer", 0.5, "--real-time", 0.4, "--max-latency", 2)
    ended = call("recommend", path, *given, "--json")
    assert json.loads(ended.out)["limits"] == {
        "memory_bytes": 1 << 30,
        "error_rate": 0.5,
        "real_time_factor": 0.4,
        "latency_s": 2.0,
    }
    assert "no clip of 5 s was timed" in ended.err


def test_sizes():
    assert memory_bytes("--max-memory", "300M") == memory_bytes("", "300 MB") == 300_000_000
    assert memory_bytes("", "1.5g") == 1_500_000_000
    assert memory_bytes("", "512MiB") == memory_bytes("", "512mi") == 512 << 20
    assert memory_bytes("", "1000") == 1000
    for wrong in ("", "M", "-3M", "3 apples", "0", "5i"):
        with pytest.raises(ConfigError, match="takes a size such as 300M"):
            memory_bytes("--max-memory", wrong)


# Boards that were not profiled.


def test_another_board_is_estimated_and_says_so(call):
    path = shelve("a.json", outcome(0.1))
    ended = call("recommend", path, "--device", "raspberry-pi-4")
    lines = ended.out.splitlines()
    assert lines[0] == "Raspberry Pi 4 Model B (a.json)"
    assert lines[1].startswith("estimate: tiny int8 openvino, 2 threads: 0.856 of real time")
    assert lines[2].startswith("note: estimate, not measured: times of Raspberry Pi 5")
    told = json.loads(call("recommend", path, "--device", "raspberry-pi-4", "--json").out)
    assert (told["estimate"], told["device"]) == (True, "raspberry-pi-4")


def test_the_estimate_is_shown_beside_what_was_measured(call):
    shelve("five.json", outcome(0.1))
    four = shelve("four.json", outcome(0.5), board=PI_4)
    told = json.loads(call("recommend", "--device", "raspberry-pi-4", "--json").out)
    assert told["estimate"] is False
    assert told["record"] == str(four)
    (one,) = told["beside"]
    assert one["ratio"] == pytest.approx(0.1 * 9.5 / 1.11 / 0.5)
    printed = call("recommend", four).out.splitlines()
    assert printed[-2].split() == "real-time factor estimated measured estimate / measured".split()
    assert printed[-1].split()[-3:] == ["0.856", "0.5", "1.71"]


def test_a_board_of_which_only_the_description_is_there(call):
    ended = call("recommend", "--device", "raspberry-pi-5", "--max-memory", "1M")
    assert ended.status == 0
    default = device("raspberry-pi-5").default
    lines = ended.out.splitlines()
    assert lines[1] == f"estimate: int8 onnx, 4 threads: {default.reason}"
    assert "note: the limits were not checked: there is nothing to check them with" in lines
    assert "whisper.cpp" in ended.out
    told = json.loads(call("recommend", "--device", "raspberry-pi-5", "--json").out)
    assert (told["estimate"], told["record"]) == (True, None)
    assert told["choice"]["target"] == "onnx"
    assert not any("limits" in note for note in told["notes"])


def test_why_a_record_gives_no_estimate(call):
    shelve("a.json", outcome(0.1))
    ended = call("recommend", "--device", "apple-m4")
    assert "the clock of Apple M4 is not known" in ended.out
    assert "estimate, not measured: the default of devices/" in ended.out


def test_a_board_that_nobody_knows(call):
    ended = call("recommend", "--device", "raspberry-pi-55")
    assert ended.err == (
        "error: unknown device 'raspberry-pi-55'; did you mean 'raspberry-pi-5'?\n"
    )


# The artifact, and the settings.


def test_the_artifact_that_was_measured_is_saved(call, artifact):
    shelve("a.json", measured(artifact), board=here())
    record_export(artifact.folder)
    settings_path().write_text('# mine\nlanguage = "en"  # always\nthreads = 7\n')
    ended = call("recommend", "--save", "--json")
    told = json.loads(ended.out)
    folder = str(artifact.folder.resolve())
    assert (told["artifact"], told["artifact_is_measured"]) == (folder, True)
    assert told["saved"] == os.environ["WHISPERQ_EDGE_CONFIG"]
    assert settings_path().read_text() == (
        f'# mine\nlanguage = "en"  # always\nthreads = 2\nartifact = "{folder}"\n'
    )
    assert f"artifact = {folder}" in ended.err
    assert "threads = 2 (it was 7)" in ended.err
    for command in ("transcribe", "listen", "stream"):
        assert read_settings().defaults()[command]["artifact"] == folder
        assert read_settings().defaults()[command]["threads"] == 2


def test_what_is_saved_is_what_transcribe_uses(call, artifact, recordings, tmp_path):
    shelve("a.json", measured(artifact, threads=1), board=here())
    record_export(artifact.folder)
    record_export(_another(tmp_path))  # newer, and no artifact at all
    assert call("recommend", "--save").status == 0
    ended = call("-v", "transcribe", recordings / "50_up_on_left.flac", "--output-dir", tmp_path)
    assert ended.status == 0, ended.err
    assert "1 threads" in ended.err


def _another(folder):
    folder = folder / "newest"
    folder.mkdir()
    (folder / "artifact.json").write_text("{}")
    return folder


def test_exports_of_the_profiler_are_found(call, artifact):
    shelve("a.json", measured(artifact), board=here())
    link = data_folder() / "artifacts" / "demo-onnx-int8"
    link.parent.mkdir()
    link.symlink_to(artifact.folder)
    assert json.loads(call("recommend", "--json").out)["artifact"] == str(link)


def test_an_export_that_was_made_again(call, artifact):
    given = msgspec.structs.replace(candidate(artifact, 2).configuration, digest="0" * 64)
    shelve("a.json", outcome(0.1, given), board=here())
    record_export(artifact.folder)
    told = json.loads(call("recommend", "--json").out)
    assert (told["artifact"], told["artifact_is_measured"]) == (str(artifact.folder), False)
    assert "(exported again since it was measured)" in call("recommend").out


def test_an_export_of_another_kind_is_not_taken(call, artifact):
    given = candidate(artifact, 2).configuration
    for other in ({"precision": "int4:32"}, {"target": "openvino"}, {"model": "tiny"}):
        changed = msgspec.structs.replace(given, digest="0" * 64, **other)
        path = shelve("a.json", outcome(0.1, changed), board=here())
        record_export(artifact.folder)
        ended = call("recommend", path, "--save")
        assert ended.status == 2
        assert ended.err.endswith(f"run: {export_command(changed)}\n")
        assert not settings_path().exists()


@pytest.mark.parametrize(
    ("given", "option"),
    [
        (configuration("int4:32", "onnx", model="no-such-model"), "--quant-block"),
        (configuration("int8", "onnx", model="no-such-model", layout="portable"), "--layout"),
        (configuration("mixed", "onnx", model="no-such-model"), "auto"),
    ],
)
def test_the_command_that_exports_is_one(call, given, option):
    command = shlex.split(export_command(given))
    assert command[:2] == ["whisperq-edge", "export"]
    assert option in command
    # All of it is understood, up to the model that does not exist.
    assert "no-such-model" in call(*command[1:], "--offline").err


def test_another_boards_choice_is_not_saved(call, artifact):
    path = shelve("a.json", measured(artifact))
    record_export(artifact.folder)
    ended = call("recommend", path, "--save")
    assert (ended.status, settings_path().exists()) == (2, False)
    assert ended.err.startswith("error: the settings are of this machine")


def test_nothing_is_saved_where_nothing_is_chosen(call, artifact):
    shelve("a.json", measured(artifact), board=here())
    record_export(artifact.folder)
    assert call("recommend", "--save", "--max-memory", "1M").status == 1
    assert not settings_path().exists()


def test_settings_keep_what_else_is_in_the_file():
    text = '\n# above\r\nformat = "srt"\r\n\n[nothing]\n'
    settings_path().write_bytes(text.replace("\n[nothing]\n", "").encode())
    before = settings_path().read_bytes()
    write_settings({"threads": 3})
    after = settings_path().read_bytes()
    assert after.startswith(before)
    assert (read_settings().threads, read_settings().format) == (3, "srt")


def test_settings_that_are_wrong_stay_as_they_are():
    settings_path().write_text('langauge = "en"\n')
    with pytest.raises(ConfigError, match="langauge"):
        write_settings({"threads": 3})
    assert settings_path().read_text() == 'langauge = "en"\n'
    settings_path().write_text("threads = 1\n")
    with pytest.raises(ConfigError, match="threads"):
        write_settings({"threads": 0})
    assert settings_path().read_text() == "threads = 1\n"


def test_a_linked_settings_file_stays_a_link(tmp_path):
    real = tmp_path / "dotfiles.toml"
    real.write_text("threads = 1\n")
    settings_path().symlink_to(real)
    write_settings({"threads": 2})
    assert settings_path().is_symlink()
    assert real.read_text() == "threads = 2\n"


def test_a_disk_that_refuses_leaves_the_settings(monkeypatch, tmp_path):
    settings_path().write_text("threads = 1\n")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WhisperqError, match="No space left"):
        write_settings({"threads": 2})
    assert settings_path().read_text() == "threads = 1\n"
    assert [path.name for path in settings_path().parent.iterdir()] == ["settings.toml"]
