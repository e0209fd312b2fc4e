"""Every form of a labelled set, as people have them on their disks, and what is refused."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from whisperq_edge.edge.accuracy.sets import load_set
from whisperq_edge.edge.accuracy.utterance import TimedWord
from whisperq_edge.edge.errors import ConfigError


@pytest.fixture
def sounds(recordings):
    """Three short recordings of different people, and what they say."""
    rows = [json.loads(line) for line in (recordings / "manifest.jsonl").read_text().splitlines()]
    chosen = [row for row in rows if row["path"][:2] in ("42", "47", "50")]
    return [(recordings / row["path"], row["text"]) for row in chosen]


def write_manifest(folder, *rows):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "manifest.jsonl"
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in rows))
    return path


def refusal(name, **more):
    with pytest.raises(ConfigError) as refused:
        load_set(str(name), **more)
    (line,) = str(refused.value).splitlines()
    return line


# --- manifests


def test_the_bundled_recordings(recordings):
    found = load_set("demo")
    lines = (recordings / "manifest.jsonl").read_text().splitlines()
    assert found.name == "demo"
    assert [one.id for one in found.utterances] == [json.loads(line)["path"] for line in lines]
    first = found.utterances[0]
    assert first.speaker == "pvc_75"
    assert first.language == "en"
    assert first.text.startswith("can i have a light roast twenty ounce")
    content = (recordings / first.id).read_bytes()
    assert first.digest == hashlib.sha256(content).hexdigest()
    assert sum(not one.text for one in found.utterances) == 6  # nobody speaks


@pytest.mark.parametrize("named", ["folder", "file"])
def test_a_manifest_in_our_keys(tmp_path, sounds, named):
    (sound, text), (other, _), _ = sounds
    shutil.copy(sound, tmp_path / "a.flac")
    rows = (
        {"path": "a.flac", "text": f" {text} ", "speaker": 7, "duration": 2.5, "note": "ignored"},
        {
            "path": str(other),
            "id": "second",
            "text": "",
            "language": "pt-BR",
            "words": [{"text": "ja", "start": 0.25, "end": 0.5}],
        },
    )
    path = write_manifest(tmp_path, *rows)
    found = load_set(str(path.parent if named == "folder" else path))
    assert found.name == tmp_path.name
    a, b = found.utterances
    assert (a.id, a.audio, a.text) == ("a.flac", str(tmp_path / "a.flac"), text)
    assert (a.speaker, a.language, a.words) == ("7", "en", ())
    assert (b.id, b.audio, b.text, b.speaker, b.language) == (
        "second",
        str(other),
        "",
        "second",
        "pt",
    )
    assert b.words == (TimedWord("ja", 0.25, 0.5),)


def test_a_manifest_in_the_keys_of_nemo(tmp_path, sounds):
    path, text = sounds[0]
    row = {"audio_filepath": str(path), "text": text, "duration": 2.5, "offset": 0.0}
    manifest = write_manifest(tmp_path, row, "", "")
    (found,) = load_set(str(manifest), language="German").utterances
    assert (found.audio, found.text, found.language) == (str(path), text, "de")


def test_a_line_may_hold_marks_that_end_lines_elsewhere(tmp_path, sounds):
    path = write_manifest(
        tmp_path, f'{{"path": "{sounds[0][0]}", "text": "one\u2028two\u0085three"}}\r'
    )
    (found,) = load_set(str(path)).utterances
    assert found.text.split() == ["one", "two", "three"]


def test_links_are_followed(tmp_path, sounds):
    real = tmp_path / "real"
    real.mkdir()
    (real / "a.flac").symlink_to(sounds[0][0])
    write_manifest(real, {"path": "a.flac", "text": "x"})
    (tmp_path / "link").symlink_to(real)
    assert load_set(str(tmp_path / "link")).utterances[0].id == "a.flac"


def test_the_same_sound_twice_is_two_utterances(tmp_path, sounds):
    shutil.copy(sounds[0][0], tmp_path / "a.flac")
    shutil.copy(sounds[0][0], tmp_path / "b.flac")
    rows = [{"path": name, "text": "x"} for name in ("a.flac", "b.flac")]
    one, other = load_set(str(write_manifest(tmp_path, *rows))).utterances
    assert one.digest == other.digest
    assert one.id != other.id


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('{"path": "a.flac"', "line 2: Input data was truncated"),
        ('{"path": "a.flac"}', "line 2: Object missing required field `text`"),
        ('{"path": "a.flac", "text": null}', "line 2: Expected `str`, got `null`"),
        ('{"text": "x"}', "line 2: it names no sound file"),
        ('["a.flac", "x"]', "line 2: Expected `object`, got `array`"),
        ('{"path": "a.flac", "text": "x", "offset": 3.5}', "line 2: it is a piece of a longer"),
        ('{"path": "a.flac", "text": "x", "language": "tlh"}', "line 2: unknown language 'tlh'"),
        (
            '{"path": "a.flac", "text": "x", "words": [{"text": "x", "start": 2, "end": 1}]}',
            "line 2: the word 'x' ends before it starts",
        ),
        ('{"path": "0.flac", "text": "x"}', "line 2: '0.flac' is there already"),
        ('{"path": "b.flac", "text": "x"}', "b.flac is missing"),
        ('{"path": "dangling.flac", "text": "x"}', "dangling.flac is a link that leads nowhere"),
        ('{"path": ".", "text": "x"}', "cannot be read: Is a directory"),
    ],
)
def test_a_broken_line_is_named(tmp_path, sounds, row, said):
    for name in ("0.flac", "a.flac"):
        shutil.copy(sounds[0][0], tmp_path / name)
    (tmp_path / "dangling.flac").symlink_to(tmp_path / "nowhere")
    path = write_manifest(tmp_path, {"path": "0.flac", "text": "x"}, row)
    line = refusal(path)
    assert str(path) in line
    assert "line 2" in line
    assert said in line


def test_what_is_no_set_is_refused(tmp_path):
    assert "there is no set 'nowhere'" in refusal("nowhere")
    assert "is no set" in refusal(tmp_path)
    other = tmp_path / "set.csv"
    other.write_text("path,text\n")
    assert "is no set" in refusal(other)
    assert "holds no utterances" in refusal(write_manifest(tmp_path / "empty"))
    bad = tmp_path / "bad.jsonl"
    bad.write_bytes(b"\xff\xfe{}")
    assert refusal(bad) == f"{bad} is not text in UTF-8"


# --- a part of a set


def test_a_limit_goes_round_the_speakers(tmp_path, sounds):
    """Of 12 + 3 + 1 utterances, 5 are 2 + 2 + 1 and 9 are 5 + 3 + 1; more only adds to them."""
    rows = []
    for number, speaker in enumerate(["a"] * 12 + ["b"] * 3 + ["c"]):
        shutil.copy(sounds[number % 3][0], tmp_path / f"{number}.flac")
        rows.append({"path": f"{number}.flac", "text": "x", "speaker": speaker})
    path = str(write_manifest(tmp_path, *rows))
    taken = [[one.id for one in load_set(path, limit=n).utterances] for n in range(1, 20)]
    assert [len(ids) for ids in taken] == [*range(1, 17), 16, 16, 16]
    for fewer, more in pairwise(taken):
        assert set(fewer) <= set(more)
    speakers = {row["path"]: row["speaker"] for row in rows}
    for n, spread in ((3, "abc"), (5, "aabbc"), (9, "aaaaabbbc")):
        assert "".join(sorted(speakers[name] for name in taken[n - 1])) == spread
    in_order = [name for name in speakers if name in taken[5]]
    assert taken[5] == in_order
    assert sorted(taken[5]) != sorted(list(speakers)[:6])  # not just the first
    write_manifest(tmp_path, *reversed(rows))
    assert {one.id for one in load_set(path, limit=6).utterances} == set(taken[5])


# --- LibriSpeech


@pytest.fixture
def librispeech(tmp_path, sounds):
    """Two chapters of a split, as they are unpacked."""
    split = tmp_path / "LibriSpeech" / "test-clean"
    texts = []
    for (path, text), speaker, chapter in zip(
        sounds, ("84", "84", "1272"), ("1", "1", "9"), strict=True
    ):
        folder = split / speaker / chapter
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{speaker}-{chapter}-{len(texts):04}"
        shutil.copy(path, folder / f"{name}.flac")
        with (folder / f"{speaker}-{chapter}.trans.txt").open("a") as file:
            file.write(f"{name} {text.upper()}\n")
        texts.append(text.upper())
    return split, texts


@pytest.mark.parametrize("named", ["split", "folder above", "link"])
def test_librispeech(librispeech, named, tmp_path):
    split, texts = librispeech
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "test-clean").symlink_to(split)
    places = {"split": split, "folder above": split.parent, "link": tmp_path / "elsewhere"}
    found = load_set(str(places[named])).utterances
    assert [one.id for one in found] == ["1272-9-0002", "84-1-0000", "84-1-0001"]
    assert [one.speaker for one in found] == ["1272", "84", "84"]
    assert [one.text for one in found] == [texts[2], texts[0], texts[1]]
    assert all(one.language == "en" for one in found)


def test_broken_librispeech_is_refused(librispeech):
    split, _ = librispeech
    table = split / "84" / "1" / "84-1.trans.txt"
    good = table.read_text()
    table.write_text(good + "no text\n")
    assert f"{table}: line 3: 'no' is not SPEAKER-CHAPTER-NUMBER" in refusal(split)
    table.write_text(good + "84-1-0007 GONE\n")
    assert f"{table}: line 3: " in (line := refusal(split))
    assert "84-1-0007.flac is missing" in line
    table.write_text(good + good.splitlines()[0] + "\n")
    assert "line 3: '84-1-0000' is there already" in refusal(split)
    table.write_text(good.splitlines()[1] + "\n")
    assert f"{table}: 84-1-0000.flac lies beside it and has no line" in refusal(split)
    table.write_text(good)
    shutil.copytree(split, split.with_name("test-other"))
    assert "holds several sets (test-clean, test-other); name one" in refusal(split.parent)


def test_folders_that_go_round_in_circles_end(librispeech):
    split, _ = librispeech
    (split / "84" / "round").symlink_to(split)
    assert len(load_set(str(split)).utterances) == 3


# --- Common Voice

HEADER = "client_id\tpath\tsentence_id\tsentence\tup_votes\tlocale\n"


@pytest.fixture
def common_voice(tmp_path, sounds):
    """A language's folder, as it is unpacked."""
    folder = tmp_path / "cv" / "pt"
    (folder / "clips").mkdir(parents=True)
    lines = []
    for number, (path, _) in enumerate(sounds):
        shutil.copy(path, folder / "clips" / f"common_voice_pt_{number}.mp3")
        name = f"common_voice_pt_{number}" + (".mp3" if number else "")
        lines.append(f'speaker{number % 2}\t{name}\ts{number}\t"Um " e meio\t2\tpt\n')
    for table in ("train.tsv", "test.tsv", "dev.tsv"):
        (folder / table).write_text(HEADER + "".join(lines[: 3 if table == "test.tsv" else 1]))
    return folder


def test_common_voice(common_voice):
    found = load_set(str(common_voice)).utterances
    assert [one.id for one in found] == [f"common_voice_pt_{n}" for n in range(3)]
    assert [one.speaker for one in found] == ["speaker0", "speaker1", "speaker0"]
    assert {one.text for one in found} == {'"Um " e meio'}  # quotation marks are text
    assert {one.language for one in found} == {"pt"}
    assert len(load_set(str(common_voice / "dev.tsv")).utterances) == 1


def test_broken_common_voice_is_refused(common_voice):
    table = common_voice / "test.tsv"
    good = table.read_text()
    table.write_text(good + "a\tb\n")
    assert f"{table}: line 5: it has 2 columns, the first line has 6" in refusal(table)
    table.write_text(good + "a\t\tb\tc\t2\tpt\n")
    assert f"{table}: line 5: it names no sound file" in refusal(table)
    table.write_text(good + "a\tgone.mp3\tb\tc\t2\tpt\n")
    assert f"{table}: line 5: " in (line := refusal(table))
    assert "gone.mp3 is missing" in line
    table.write_text(good + "a\tcommon_voice_pt_1.mp3\tb\tc\t2\tpt\n")
    assert f"{table}: line 5: 'common_voice_pt_1' is there already" in refusal(table)
    table.write_text(good.replace("\tpt\n", "\tab\n", 1))
    assert f"{table}: line 2: unknown language 'ab'" in refusal(table)
    table.write_text(good.replace("sentence\t", "words\t", 1))
    assert refusal(table) == f"{table}: line 1 has no column sentence"
    table.unlink()
    assert "holds several tables (dev.tsv, train.tsv); name one" in refusal(common_voice)


# --- the hub's layout


@pytest.fixture
def hub(tmp_path, sounds, monkeypatch):
    """Write parquet as the hub keeps it, the sound inside."""
    datasets = pytest.importorskip("datasets", reason="sets of the hub need datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hub-cache")
    datasets.disable_progress_bars()

    def write(split="test", folder="hub", **columns):
        rows = {
            "audio": [{"bytes": path.read_bytes(), "path": path.name} for path, _ in sounds],
            "sentence": [text for _, text in sounds],
            **columns,
        }
        rows = {name: values for name, values in rows.items() if values is not None}
        table = datasets.Dataset.from_dict(rows)
        if "audio" in rows:
            table = table.cast_column("audio", datasets.Audio())
        place = tmp_path / folder / "data"
        place.mkdir(parents=True, exist_ok=True)
        table.to_parquet(place / f"{split}-00000-of-00001.parquet")
        return tmp_path / folder

    return write


def test_a_set_in_the_layout_of_the_hub(hub, sounds):
    folder = hub(speaker_id=[5, 5, 8], locale=["en", "pt", "de"])
    found = load_set(f"hf:{folder}")
    assert found.name == f"hf:{folder}"
    for utterance, (path, text) in zip(found.utterances, sounds, strict=True):
        assert utterance.text == text
        assert utterance.digest == hashlib.sha256(path.read_bytes()).hexdigest()
        assert utterance.audio.startswith(os.environ["WHISPERQ_EDGE_CACHE"])
        assert utterance.audio.endswith(".flac")
    assert [one.id for one in found.utterances] == ["test-000000", "test-000001", "test-000002"]
    assert [one.speaker for one in found.utterances] == ["5", "5", "8"]
    assert [one.language for one in found.utterances] == ["en", "pt", "de"]


def test_sound_of_the_hub_is_written_once_and_only_what_is_wanted(hub):
    name = f"hf:{hub()}"
    (path,) = (Path(one.audio) for one in load_set(name, limit=1).utterances)
    before = path.stat()
    load_set(name, limit=1)
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    kept = Path(os.environ["WHISPERQ_EDGE_CACHE"]) / "sound"
    assert [one for one in kept.rglob("*") if one.is_file()] == [path]
    path.write_bytes(b"torn")
    load_set(name, limit=1)
    assert path.stat().st_size == before.st_size


def test_splits_of_the_hub(hub):
    folder = hub("validation")
    assert load_set(f"hf:{folder}").utterances[0].id == "validation-000000"
    hub("train")
    assert "has no split test; name one: " in refusal(f"hf:{folder}")
    assert load_set(f"hf:{folder}:train").utterances[0].id == "train-000000"
    assert load_set(f"hf:{folder}:default:train").utterances[0].id == "train-000000"
    assert f"hf:{folder}:dev cannot be read: " in refusal(f"hf:{folder}:dev")
    hub("test")
    assert load_set(f"hf:{folder}").utterances[0].id == "test-000000"


def test_broken_sets_of_the_hub_are_refused(hub, tmp_path):
    assert "is not a set of speech" in refusal(f"hf:{hub(folder='silent', audio=None)}")
    assert "is not a set of speech" in refusal(f"hf:{hub(folder='mute', sentence=None)}")
    texts = hub(folder="gap", sentence=["one", None, "two"])
    assert refusal(f"hf:{texts}") == f"hf:{texts}: row 1: its sentence is not a text"
    for name in ("hf:", "hf:a:b:c:d", "hf:a::b"):
        assert "is not hf:NAME" in refusal(name)
    assert "cannot be read" in refusal(f"hf:{tmp_path / 'nowhere'}")
