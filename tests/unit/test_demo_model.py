"""The bundled model, its recordings, and the recipe that makes them."""

import json
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tokenizers import Tokenizer

from whisperq_edge.models.checkpoint import load_checkpoint
from whisperq_edge.models.vocabulary import official_tokenizer

DEMO = Path(str(files("whisperq_edge.models") / "demo"))
RECIPE = Path(__file__).parents[2] / "models" / "demo" / "recipe"
LICENCES = {"CC-BY-4.0", "CC-BY-SA-4.0", "Apache-2.0", "MIT", "Apache-2.0 AND CC-BY-4.0"}
EMBEDDING = "model.decoder.embed_tokens.weight"


@pytest.fixture(scope="module")
def rows():
    lines = (DEMO / "recordings" / "manifest.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_the_checkpoint_is_a_multilingual_whisper():
    checkpoint = load_checkpoint(DEMO, offline=True)
    assert checkpoint.dimensions.n_vocab == 51865
    assert checkpoint.dimensions.n_audio_ctx == 1500
    assert checkpoint.dimensions.n_text_ctx == 448
    assert (DEMO / "model.safetensors").stat().st_size < 17_000_000


def test_its_tokenizer_is_the_official_one():
    own = Tokenizer.from_file(str(DEMO / "tokenizer.json"))
    official = Tokenizer.from_str(official_tokenizer(51865).decode())
    assert own.get_vocab() == official.get_vocab()
    for text in (" can i have a latte", " Größe 12,5 東京"):
        ids = own.encode(text, add_special_tokens=False).ids
        assert ids == official.encode(text, add_special_tokens=False).ids


def test_every_recording_is_listed_and_of_a_speaker_held_out(rows):
    on_disk = {path.name for path in (DEMO / "recordings").glob("*.flac")}
    assert {row["path"] for row in rows} == on_disk
    assert len(rows) == len(on_disk)
    assert {row["split"] for row in rows} <= {"dev", "test"}
    assert all(row["licence"] in LICENCES or row["dataset"] == "out-of-domain" for row in rows)
    assert sum((DEMO / "recordings" / row["path"]).stat().st_size for row in rows) < 6_000_000
    assert 4 <= sum(row.get("demo", False) for row in rows) <= 6


def test_every_recording_is_as_long_as_its_line_says(rows):
    for row in rows:
        info = soundfile.info(DEMO / "recordings" / row["path"])
        assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16"), row
        assert info.duration == pytest.approx(row["duration"], abs=0.001), row
        if row["text"]:
            assert 0 <= row["speech_start"] < row["speech_end"] <= row["duration"], row


def test_segments_of_long_recordings_say_when_speech_is_heard(rows):
    long = [row for row in rows if "segments" in row]
    assert [round(row["duration"], -1) for row in long] == [30, 70]
    for row in long:
        samples, rate = soundfile.read(DEMO / "recordings" / row["path"])
        assert " ".join(segment["text"] for segment in row["segments"]) == row["text"]
        bounds = [bound for s in row["segments"] for bound in (s["start"], s["end"])]
        assert bounds == sorted(bounds)
        speech = [samples[int(s["start"] * rate) : int(s["end"] * rate)] for s in row["segments"]]
        pauses = [
            samples[int((a["end"] + 0.4) * rate) : int((b["start"] - 0.4) * rate)]
            for a, b in zip(row["segments"], row["segments"][1:], strict=False)
        ]
        quietest = min(np.square(part).mean() for part in speech)
        loudest = max(np.square(part).mean() for part in pauses if len(part))
        assert loudest < quietest / 10


def run_script(name, *arguments, cwd=None):
    if not RECIPE.is_dir():
        pytest.skip("the recipe is not part of the installed package")
    command = [sys.executable, str(RECIPE / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_recipe_trains_and_writes_a_checkpoint(tmp_path):
    pytest.importorskip("torch", reason="training needs torch")
    safetensors = pytest.importorskip("safetensors.numpy", reason="training needs safetensors")
    some = tmp_path / "some"
    some.mkdir()
    lines = (DEMO / "recordings" / "manifest.jsonl").read_text("utf-8").splitlines()
    few = [line for line in lines if json.loads(line)["duration"] < 2]
    (some / "manifest.jsonl").write_text("\n".join(few), "utf-8")
    for line in few:
        name = json.loads(line)["path"]
        shutil.copy(DEMO / "recordings" / name, some / name)

    data = ("--data", some, "--split", "test", "--start", DEMO, "--out", tmp_path / "trained")
    run_script("train.py", *data, "--steps", 3, "--batch-s", 5)

    trained = load_checkpoint(tmp_path / "trained", offline=True)
    assert trained.dimensions == load_checkpoint(DEMO, offline=True).dimensions
    before = safetensors.load_file(DEMO / "model.safetensors")
    after = safetensors.load_file(tmp_path / "trained" / "model.safetensors")
    assert {n: (t.shape, t.dtype) for n, t in after.items()} == {
        n: (t.shape, t.dtype) for n, t in before.items()
    }
    conv = "model.encoder.conv1.weight"
    assert not np.array_equal(after[conv], before[conv])
    assert np.allclose(after[conv], before[conv], atol=0.01)
    for weights in (before, after):  # all that is not trained shares the row of "!", token 0
        assert (weights[EMBEDDING] == weights[EMBEDDING][0]).all(axis=1).sum() == 50042
    assert (tmp_path / "trained" / "tokenizer.json").read_bytes() == (
        DEMO / "tokenizer.json"
    ).read_bytes()


@pytest.mark.skipif(shutil.which("git") is None, reason="fetching needs git")
def test_the_recipe_fetches_and_prepares_recordings(tmp_path, rows):
    coffee = [row for row in rows if row["dataset"] == "pvcoffee"][:2]
    digit = next(row for row in rows if row["dataset"] == "fsdd" and "joined" not in row["source"])
    repository = tmp_path / "repository"
    for row in (*coffee, digit):
        samples, rate = soundfile.read(DEMO / "recordings" / row["path"])
        path = repository / row["source"]
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.pad(samples, rate), rate)  # a second of silence on both sides
    (repository / "large.bin").write_bytes(b"not wanted")
    for arguments in (
        ("init", "--quiet"),
        ("config", "uploadpack.allowFilter", "true"),
        ("add", "."),
        ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--message=data"),
    ):
        subprocess.run(["git", "-C", str(repository), *arguments], check=True, timeout=60)
    sources = tmp_path / "sources.toml"
    sources.write_text(
        f'[[source]]\nid = "local"\nurl = "file://{repository}"\nrevision = "HEAD"\n'
        'folders = ["data/speech/clean", "recordings"]\nlicence = "CC-BY-4.0"\n',
        "utf-8",
    )
    fetch = ("fetch.py", "--out", tmp_path / "raw", "--sources", sources)
    assert "local: fetched" in run_script(*fetch)
    assert "local: complete" in run_script(*fetch)
    assert not (tmp_path / "raw" / "local" / "large.bin").exists()

    data = tmp_path / "data"
    prepare = ("prepare.py", "--raw", tmp_path / "raw", "--out", data, "--sources", sources)
    run_script(*prepare)
    prepared = {}
    for line in (data / "manifest.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        prepared[row["source"]] = row
    for row in (*coffee, digit):
        found = prepared[row["source"]]
        for key in ("text", "speaker", "split", "dataset"):
            assert found[key] == row[key]
        assert found["duration"] == pytest.approx(row["duration"], abs=0.3)

    kept = {path: path.stat().st_mtime_ns for path in data.rglob("*.flac")}
    spoilt = next(iter(kept))
    spoilt.write_bytes(b"not what was written")
    run_script(*prepare)
    assert soundfile.info(spoilt).samplerate == 16_000
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items() if path != spoilt)
