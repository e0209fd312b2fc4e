"""The settings file and the list of exports."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from whisperq_edge.edge.cli.export_index import data_folder, newest_export, record_export
from whisperq_edge.edge.cli.settings_file import Settings, read_settings, settings_path
from whisperq_edge.edge.errors import ConfigError


def test_no_file_sets_nothing(call):
    assert read_settings() == Settings()
    ended = call("settings", "--json")
    assert json.loads(ended.out)["path"] == os.environ["WHISPERQ_EDGE_CONFIG"]


def test_values_become_defaults_of_options(call):
    settings_path().write_text('model = "no-such-model"\ntarget = "onix"\n')
    ended = call("export")
    assert (ended.status, ended.err) == (2, "error: unknown target 'onix'; did you mean 'onnx'?\n")


def test_the_command_line_wins(call):
    settings_path().write_text('target = "onix"\n')
    assert "unknown target 'onyx'" in call("export", "--target", "onyx").err


def test_every_setting_is_the_default_of_an_existing_option():
    from typer.main import get_command

    from whisperq_edge.edge.cli.app import app

    settings_path().write_text(
        'model = "tiny"\ntarget = "onnx"\nartifact = "a"\nlanguage = "en"\nthreads = 2\n'
        'format = "srt"\noutput_dir = "b"\nbeam_size = 5\n'
    )
    settings = read_settings()
    assert None not in [getattr(settings, name) for name in Settings.__struct_fields__]
    defaults = settings.defaults()
    set_values = [getattr(settings, name) for name in Settings.__struct_fields__]
    assert {v for values in defaults.values() for v in values.values()} == set(set_values)
    for command in ("listen", "stream"):
        assert defaults[command] == {"artifact": "a", "language": "en", "threads": 2}
    for command, values in defaults.items():
        known = {parameter.name for parameter in get_command(app).commands[command].params}
        assert values.keys() <= known


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('langauge = "en"', "langauge"),
        ("threads = 0", "threads"),
        ('format = "docx"', "docx"),
        ("threads = ", "Invalid value"),
    ],
)
def test_a_mistake_names_the_file(call, text, complaint):
    settings_path().write_text(text)
    ended = call("settings")
    assert ended.status == 2
    assert str(settings_path()) in ended.err
    assert complaint in ended.err


def test_help_works_with_a_broken_file(call):
    settings_path().write_text("nonsense")
    assert call("--help").status == 0


def test_settings_are_shown(call):
    settings_path().write_text("threads = 3\n")
    assert "threads     3" in call("settings").out


def artifact_at(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "artifact.json").write_text("{}")
    return folder


def test_the_newest_export_that_is_left(tmp_path):
    assert newest_export() is None
    first, second = artifact_at(tmp_path / "a"), artifact_at(tmp_path / "b")
    record_export(first)
    record_export(second)
    assert newest_export() == second
    record_export(first)
    assert newest_export() == first
    (first / "artifact.json").unlink()
    assert newest_export() == second


def test_a_damaged_list_is_named():
    data_folder().mkdir(parents=True)
    (data_folder() / "exports.json").write_text("[1,")
    with pytest.raises(ConfigError, match=r"exports\.json cannot be read"):
        newest_export()


def test_recording_leaves_one_file(tmp_path):
    record_export(artifact_at(tmp_path / "a"))
    assert [path.name for path in data_folder().iterdir()] == ["exports.json"]
