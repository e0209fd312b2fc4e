"""The Hub, played by a server of our own on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from whisperq_edge.edge.errors import CheckpointError
from whisperq_edge.models.checkpoint import load_checkpoint
from whisperq_edge.models.random_checkpoint import MINIATURE, write_random_checkpoint

HUB_ID = "somebody/whisper-mini"
GATED_ID = "somebody/gated"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
EMBEDDING = "decoder.embed_tokens.weight"
CARD = b"---\nlicense: cc-by-4.0\n---\n"


class Hub(ThreadingHTTPServer):
    """Speaks as much of the Hub's API as a download needs; keeps what was asked for."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories = {}
        self.asked = []
        self.status = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def files_of(self, hub_id):
        folder = self.repositories[hub_id]
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = self.path.split("?")[0].strip("/").split("/")
        self.server.asked.append((self.command, "/".join(path)))
        if self.server.status:
            return self.fail(self.server.status, "", "out of order")
        is_api = path[:2] == ["api", "models"]
        hub_id = "/".join(path[2:4] if is_api else path[:2])
        if hub_id == GATED_ID:
            return self.fail(403, "GatedRepo", "access is restricted")
        if hub_id not in self.server.repositories:
            return self.fail(401, "RepoNotFound", "Repository not found")
        revision = path[5] if is_api and len(path) > 5 else "main" if is_api else path[3]
        if revision not in ("main", "v1", COMMIT):
            return self.fail(404, "RevisionNotFound", "Invalid rev id")
        files = self.server.files_of(hub_id)
        if is_api:
            siblings = [{"rfilename": name, "size": len(files[name])} for name in files]
            body = {"id": hub_id, "modelId": hub_id, "sha": COMMIT, "siblings": siblings}
            return self.send(200, json.dumps(body).encode(), {"Content-Type": "application/json"})
        if path[4] not in files:
            return self.fail(404, "EntryNotFound", "Entry not found")
        return self.send_file(files[path[4]])

    def send_file(self, content):
        headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
        headers["X-Linked-Size"] = str(len(content))
        headers["X-Linked-ETag"] = headers["ETag"]
        headers["Accept-Ranges"] = "bytes"
        if (asked := self.headers.get("Range")) is None:
            return self.send(200, content, headers)
        start = int(asked.removeprefix("bytes=").split("-")[0])
        headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return self.send(206, content[start:], headers)

    def fail(self, status, code, message):
        self.send(status, b"", {"X-Error-Code": code, "X-Error-Message": message})

    def send(self, status, body, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = write_random_checkpoint(tmp_path_factory.mktemp("hub") / "mini", MINIATURE)
    (folder / "README.md").write_bytes(CARD)
    # What a repository also holds, and nobody needs.
    (folder / "pytorch_model.bin").write_bytes(b"not wanted")
    (folder / "flax_model.msgpack").write_bytes(b"not wanted")
    return folder


@pytest.fixture
def server(original):
    with Hub() as hub:
        hub.repositories[HUB_ID] = original
        thread = threading.Thread(target=hub.serve_forever)
        thread.start()
        yield hub
        hub.shutdown()
        thread.join()


@pytest.fixture
def hub(server, monkeypatch, tmp_path):
    """The server as the Hub, and an empty cache."""
    constants = pytest.importorskip("huggingface_hub.constants")
    # The library reads its environment once, when it is imported.
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    file_url = f"{server.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", file_url)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return server


def refusal(source=HUB_ID, **options):
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(source, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_hub_id_is_fetched_once_and_then_lies_in_the_cache(hub, original):
    reported = []
    progress = lambda stage, done: reported.append((stage, done))  # noqa: E731
    checkpoint = load_checkpoint(HUB_ID, progress=progress)
    assert (checkpoint.name, checkpoint.revision) == (HUB_ID, COMMIT)
    assert checkpoint.licence == "cc-by-4.0"
    local = load_checkpoint(original)
    assert checkpoint.digest == local.digest
    assert checkpoint.generation == local.generation
    np.testing.assert_array_equal(checkpoint.tensor(EMBEDDING), local.tensor(EMBEDDING))

    fetched = {path.split("/")[-1] for method, path in hub.asked if method == "GET"}
    assert {"model.safetensors", "config.json", "tokenizer.json", "README.md"} <= fetched
    assert not fetched & {"pytorch_model.bin", "flax_model.msgpack"}
    shares = [done for stage, done in reported if stage == "download"]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) > 4  # it also moves within a file

    hub.asked.clear()
    again = load_checkpoint(HUB_ID)
    assert again.digest == checkpoint.digest
    assert not any("model.safetensors" in path for _, path in hub.asked)


def test_the_cache_serves_without_a_network(hub):
    digest = load_checkpoint(HUB_ID).digest
    hub.asked.clear()
    offline = load_checkpoint(HUB_ID, offline=True)
    assert (offline.digest, offline.revision, hub.asked) == (digest, COMMIT, [])
    hub.status = 503  # a Hub that is down is like no network
    assert load_checkpoint(HUB_ID).digest == digest


def test_offline_is_also_an_environment_variable(hub, monkeypatch):
    load_checkpoint(HUB_ID)
    hub.asked.clear()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert load_checkpoint(HUB_ID).revision == COMMIT
    assert "this is offline" in refusal("somebody/other")
    assert hub.asked == []


def test_a_revision_is_a_tag_or_a_commit(hub):
    assert load_checkpoint(HUB_ID, revision="v1").revision == COMMIT
    assert load_checkpoint(HUB_ID, revision="v1", offline=True).revision == COMMIT
    assert load_checkpoint(HUB_ID, revision=COMMIT, offline=True).revision == COMMIT
    assert "somebody/whisper-mini at main is not in the cache" in refusal(
        revision="main", offline=True
    )


def test_a_short_name_is_the_official_repository(hub, original):
    hub.repositories["openai/whisper-tiny"] = original
    checkpoint = load_checkpoint("tiny")
    # Of the registry, not of the card.
    assert (checkpoint.name, checkpoint.licence) == ("openai/whisper-tiny", "apache-2.0")


def test_weights_may_be_spread_over_files(hub, original, tmp_path):
    folder = shutil.copytree(original, tmp_path / "sharded")
    tensors = load_file(folder / "model.safetensors")
    place = {name: f"model-{len(name) % 2}.safetensors" for name in tensors}
    for file in set(place.values()):
        save_file({k: v for k, v in tensors.items() if place[k] == file}, folder / file)
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": place}))
    hub.repositories[HUB_ID] = folder
    expected = load_checkpoint(original).tensor(EMBEDDING)
    np.testing.assert_array_equal(load_checkpoint(HUB_ID).tensor(EMBEDDING), expected)
    np.testing.assert_array_equal(load_checkpoint(HUB_ID, offline=True).tensor(EMBEDDING), expected)
    for path in (tmp_path / "cache").rglob("model-0.safetensors"):
        path.unlink()
    assert "is not in the cache" in refusal(offline=True)


def test_an_interrupted_download_is_not_complete_offline(hub, tmp_path):
    load_checkpoint(HUB_ID)
    for path in (tmp_path / "cache").rglob("model.safetensors"):
        path.unlink()
    assert "is not in the cache" in refusal(offline=True)
    assert load_checkpoint(HUB_ID).revision == COMMIT  # and is taken up again online


def test_each_refusal_says_what_to_do(hub):
    assert f"there is no somebody/nothing on {hub.url}" in refusal("somebody/nothing")
    message = refusal(GATED_ID)
    assert f"gated: accept its terms at {hub.url}/{GATED_ID}" in message
    assert refusal(revision="v9") == f"{HUB_ID} has no revision 'v9'"
    assert "load it once with a network" in refusal(offline=True)
    assert "alphanumeric" in refusal("somebody/whisper--mini..")


def test_a_repository_of_something_else_is_refused(hub, original, tmp_path):
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "README.md").write_bytes(CARD)
    hub.repositories[HUB_ID] = folder
    assert "is not a checkpoint in Hugging Face's layout" in refusal()
    shutil.copy(original / "model.safetensors", folder)
    (folder / "config.json").write_text('{"model_type": "bert"}')
    assert "model_type is 'bert'" in refusal()


def test_a_hub_that_is_down_or_away_says_so(hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    message = refusal()
    assert "http://127.0.0.1:9 cannot be reached and somebody/whisper-mini is not in" in message


def test_the_endpoint_and_the_cache_are_the_environment_s(server, tmp_path):
    environment = {
        **os.environ,
        "HF_ENDPOINT": server.url,
        "HF_HUB_OFFLINE": "0",
        "HF_HOME": str(tmp_path),
    }
    program = (
        "from whisperq_edge.models.checkpoint import load_checkpoint as load\n"
        f"print(load({HUB_ID!r}).revision)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    assert (done.stdout.strip(), done.stderr, done.returncode) == (COMMIT, "", 0)
    assert (tmp_path / "hub" / "models--somebody--whisper-mini").is_dir()
