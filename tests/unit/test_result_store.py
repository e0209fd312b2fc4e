"""The file of results: what survives a kill, and what is never written twice."""

from __future__ import annotations

import json
import resource

import pytest

from whisperq_edge.edge.accuracy.result import Result, Settings
from whisperq_edge.edge.accuracy.store import ResultStore
from whisperq_edge.edge.accuracy.task import find_result, result_key
from whisperq_edge.edge.accuracy.utterance import TimedWord, Utterance
from whisperq_edge.edge.errors import ConfigError, WhisperqError


def result(key, text="one two"):
    words = (TimedWord("one", 0.1, 0.2),)
    return Result(key, "artifact", Settings(), f"id {key}", text, 1.0, 0.5, 0.4, words)


@pytest.fixture
def path(tmp_path):
    """A file with two results."""
    path = tmp_path / "below" / "results.jsonl"
    with ResultStore(path) as store:
        assert store.append(result("a"))
        assert store.append(result("b"))
    return path


def test_results_come_back_as_they_were(path):
    with ResultStore(path) as store:
        assert list(store) == [result("a"), result("b")]
        assert len(store) == 2
        assert store.has("a")
        assert not store.has("c")
        assert store.get("b") == result("b")
        assert store.get("c") is None


def test_a_key_is_written_once(path):
    with ResultStore(path) as store:
        assert not store.append(result("a", "other words"))
        assert store.append(result("c"))
        assert not store.append(result("c"))
    assert [json.loads(line)["key"] for line in path.read_text().splitlines()] == ["a", "b", "c"]


def test_a_result_is_in_the_file_at_once(path):
    with ResultStore(path) as store:
        store.append(result("c"))
        assert len(path.read_text().splitlines()) == 3


@pytest.mark.parametrize("n_left", [1, 8, 9, 60, -1])
def test_a_torn_line_is_cut_off_and_the_rest_goes_on(path, n_left):
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    torn = whole[first:][:n_left]
    path.write_bytes(whole[:first] + torn)
    with ResultStore(path) as store:
        assert len(store) == 1
        store.append(result("b"))
    assert path.read_bytes() == whole


@pytest.mark.parametrize("n_left", [0, 1, 9, 60])
def test_a_torn_first_line_as_well(path, n_left):
    path.write_bytes(path.read_bytes()[:n_left])
    with ResultStore(path) as store:
        assert len(store) == 0
        store.append(result("a"))
    assert len(path.read_text().splitlines()) == 1


@pytest.mark.parametrize("content", ["a letter to my aunt", "a letter\nto my aunt", '{"id": 1}\n'])
def test_another_file_is_refused_and_stays_as_it_is(tmp_path, content):
    path = tmp_path / "letter.txt"
    path.write_text(content)
    with pytest.raises(ConfigError, match="name another file"):
        ResultStore(path)
    assert path.read_text() == content


def test_damage_in_the_middle_is_named(path):
    lines = path.read_text().splitlines(keepends=True)
    path.write_text(lines[0] + lines[1][:40] + "\n" + lines[1])
    with pytest.raises(ConfigError, match="line 2 is not a result of this release"):
        ResultStore(path)
    path.write_text(lines[0] + lines[1].replace('"text"', '"texts"'))
    with pytest.raises(ConfigError, match="line 2"):
        ResultStore(path)


def test_only_one_program_writes(path):
    with ResultStore(path):
        with pytest.raises(ConfigError, match="is being written by another program"):
            ResultStore(path)
    ResultStore(path).close()


def test_a_new_file_without_results_goes(tmp_path):
    path, there = tmp_path / "new.jsonl", tmp_path / "there.jsonl"
    there.touch()
    for each in (path, there):
        ResultStore(each).close()
    assert not path.exists()
    assert there.exists()


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WhisperqError, match="cannot write"):
        ResultStore(tmp_path / "file" / "results.jsonl")


def test_a_full_disk_leaves_no_half_line(path):
    """The system's limit of a file's size stands for a full disk."""
    before = path.stat().st_size
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with ResultStore(path) as store:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before + 50, hard))
        try:
            with pytest.raises(WhisperqError, match=f"cannot write {path}"):
                store.append(result("c"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        assert path.stat().st_size == before
        assert not store.has("c")
        assert store.append(result("c"))
    with ResultStore(path) as store:
        assert len(store) == 3


UTTERANCE = Utterance("id", "/a.flac", "sound", "what was said", "speaker")


@pytest.mark.parametrize(
    ("digest", "utterance", "settings", "is_same"),
    [
        ("artifact", UTTERANCE, Settings(), True),
        ("artifact", Utterance("2", "/b.flac", "sound", "else", "who"), Settings(), True),
        ("other", UTTERANCE, Settings(), False),
        ("artifact", Utterance("id", "/a.flac", "other", "", ""), Settings(), False),
        ("artifact", Utterance("id", "/a.flac", "sound", "", "", "de"), Settings(), False),
        ("artifact", UTTERANCE, Settings(variant="word-times"), False),
        ("artifact", UTTERANCE, Settings(threads=2), False),
        ("artifact", UTTERANCE, Settings(beam_size=1), False),
        ("artifact", UTTERANCE, Settings(condition="snr10"), False),
        ("artifact", UTTERANCE, Settings(version=0), False),
    ],
)
def test_a_key_is_of_what_decides_the_text(digest, utterance, settings, is_same):
    key = result_key("artifact", UTTERANCE, Settings())
    assert (result_key(digest, utterance, settings) == key) is is_same
    assert len(key) == 64


def test_keys_stay_the_same_from_release_to_release():
    """Otherwise everybody's results would be done again; raise SETTINGS_VERSION to want that."""
    key = result_key("artifact", UTTERANCE, Settings())
    assert key == "424f4c85dd460ff95bbfb3994e0e255a7e1e5775c67c4764537911df0c5af693"


def test_a_result_of_the_same_sound_gets_the_utterances_name(tmp_path):
    key = result_key("artifact", UTTERANCE, Settings())
    with ResultStore(tmp_path / "results.jsonl") as store:
        store.append(result(key))
        found = find_result(store, "artifact", UTTERANCE, Settings())
        assert found is not None
        assert (found.id, found.text) == ("id", "one two")
        assert find_result(store, "other", UTTERANCE, Settings()) is None
