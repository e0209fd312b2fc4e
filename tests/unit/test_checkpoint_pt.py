"""PyTorch files: OpenAI's .pt and Hugging Face's .bin, and files that mean harm."""

from __future__ import annotations

import collections
import io
import os
import pickle
import shutil
import zipfile

import numpy as np
import pytest

from whisperq_edge.edge.errors import CheckpointError
from whisperq_edge.edge.types import ModelDimensions
from whisperq_edge.models.checkpoint import load_checkpoint
from whisperq_edge.models.openai_file import openai_name
from whisperq_edge.models.random_checkpoint import (
    MINIATURE,
    random_weights,
    write_random_checkpoint,
)
from whisperq_edge.models.tensors import tensor_shapes
from whisperq_edge.models.torch_file import read_torch_file

torch = pytest.importorskip("torch", reason="real PyTorch files need PyTorch")
EMBEDDING = "decoder.embed_tokens.weight"


def dims(dimensions):
    return {name: getattr(dimensions, name) for name in dimensions.__struct_fields__}


def openai_model(dimensions):
    """A model that openai-whisper made itself, so that the names are its own."""
    model = pytest.importorskip("whisper.model", reason="openai-whisper is the oracle")
    torch.manual_seed(0)
    whisper = model.Whisper(model.ModelDimensions(**dims(dimensions)))
    for parameter in whisper.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return whisper


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_file_of_openai_s_is_read_without_torch(tmp_path, dtype):
    model = openai_model(MINIATURE).to(dtype)
    path = tmp_path / "mini.pt"
    torch.save({"dims": dims(MINIATURE), "model_state_dict": model.state_dict()}, path)
    checkpoint = load_checkpoint(path)
    assert (checkpoint.name, checkpoint.licence) == ("mini.pt", "unknown")
    assert checkpoint.dimensions == MINIATURE
    assert len(checkpoint.generation.languages) == 99
    state = model.state_dict()
    used = set()
    for name in tensor_shapes(MINIATURE):
        expected = state[openai_name(name)].float().numpy()
        np.testing.assert_array_equal(checkpoint.tensor(name), expected)
        used.add(openai_name(name))
    assert used == set(state)


def test_it_decodes_like_the_folder_of_the_same_weights(tmp_path):
    weights = dict(random_weights(MINIATURE, seed=0))
    state = {openai_name(name): torch.from_numpy(value) for name, value in weights.items()}
    torch.save({"dims": dims(MINIATURE), "model_state_dict": state}, tmp_path / "mini.pt")
    file = load_checkpoint(tmp_path / "mini.pt")
    folder = load_checkpoint(write_random_checkpoint(tmp_path / "mini", MINIATURE))
    assert file.tokenizer == folder.tokenizer
    assert file.generation.languages == folder.generation.languages
    np.testing.assert_array_equal(file.tensor(EMBEDDING), folder.tensor(EMBEDDING))
    assert not file.tensor(EMBEDDING).flags.owndata  # mapped, not read


def test_views_and_parameters_are_read_as_torch_sees_them(tmp_path):
    base = torch.arange(24.0).reshape(4, 6)
    tensors = {
        "transposed": base.T,
        "part": base[1:3, 2:5],
        "repeated": base[0].expand(3, 6),
        "parameter": torch.nn.Parameter(base),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
    }
    torch.save(tensors, tmp_path / "views.pt")
    for name, stored in read_torch_file(tmp_path / "views.pt").items():
        np.testing.assert_array_equal(stored.read(), tensors[name].detach().numpy())


def test_a_folder_may_hold_a_bin_file(tmp_path):
    folder = write_random_checkpoint(tmp_path / "mini", MINIATURE)
    expected = load_checkpoint(folder).tensor(EMBEDDING).copy()
    state = {f"model.{k}": torch.from_numpy(v) for k, v in random_weights(MINIATURE, seed=0)}
    state["proj_out.weight"] = state[f"model.{EMBEDDING}"]
    (folder / "model.safetensors").unlink()
    torch.save(state, folder / "pytorch_model.bin")
    np.testing.assert_array_equal(load_checkpoint(folder).tensor(EMBEDDING), expected)


def archive(path, content, *, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("archive/data.pkl", content)
        file.writestr("archive/data/0", bytes(64))
        file.writestr("archive/version", b"3\n")
    return path


class Runs:
    """Runs ``os.system`` when it is unpickled the usual way."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def refusal(path):
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("protocol", [0, 1, 2, 4, 5])
def test_a_pickle_that_would_run_something_is_refused(tmp_path, protocol):
    marker = tmp_path / "ran"
    content = pickle.dumps({"dims": Runs(f"touch {marker}")}, protocol)
    pickle.loads(content)
    assert marker.exists()  # it does harm to a reader that trusts it
    marker.unlink()
    message = refusal(archive(tmp_path / "evil.pt", content))
    assert f"was refused: it asks for {os.system.__module__}.system" in message
    assert not marker.exists()


@pytest.mark.parametrize(
    "name",
    [
        "builtins eval",
        "builtins getattr",
        "torch._utils _rebuild_tensor_v2.__globals__",
        "torch load",
        "collections OrderedDict.fromkeys",
        "numpy.core.multiarray _reconstruct",
        "whisperq_edge.models.torch_file read_torch_file",
    ],
)
def test_no_other_name_is_known(tmp_path, name):
    module, attribute = name.split()
    content = b"\x80\x04" + b"".join(
        b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, attribute)
    )
    assert "was refused" in refusal(archive(tmp_path / "evil.pt", content + b"\x93."))


@pytest.mark.parametrize(
    "target",
    ["torch._utils\n_rebuild_tensor_v2", "torch\nFloatStorage", "collections\nOrderedDict"],
)
def test_what_a_pickle_gets_cannot_be_changed(tmp_path, target):
    # BUILD with (None, {...}) sets attributes on whatever lies on the stack.
    content = b"c" + target.encode() + b"\n(N(dS'__call__'\nI1\nstub."
    assert "is a corrupt PyTorch file" in refusal(archive(tmp_path / "evil.pt", content))
    assert collections.OrderedDict.__call__ is not 1  # noqa: F632


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [(0, (17,), (1,)), (16, (1,), (1,)), (0, (4, 4), (5, 1)), (-1, (2,), (1,)), (0, (2,), (-1,))],
)
def test_a_tensor_cannot_reach_outside_its_array(tmp_path, offset, shape, strides):
    class Storage:
        pass

    class Tensor:
        def __reduce__(self):
            return torch._utils._rebuild_tensor_v2, (Storage(), offset, shape, strides, False, None)

    class Pickler(pickle.Pickler):
        def persistent_id(self, thing):
            if isinstance(thing, Storage):
                return ("storage", torch.FloatStorage, "0", "cpu", 16)
            return None

    buffer = io.BytesIO()
    Pickler(buffer, 2).dump({"a": Tensor()})
    path = archive(tmp_path / "evil.pt", buffer.getvalue())
    assert "reaches outside its array" in refusal(path)


def test_a_broken_pickle_is_refused(tmp_path):
    for content in (b"", b".", b"\x80\x02}", b"\x80\x02\x8c\xff", b"(" * 100):
        assert "is a corrupt PyTorch file" in refusal(archive(tmp_path / "bad.pt", content))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("pt") / "mini.pt"
    weights = random_weights(MINIATURE, seed=0)
    state = {openai_name(name): torch.from_numpy(value) for name, value in weights}
    torch.save({"dims": dims(MINIATURE), "model_state_dict": state}, path)
    return path


@pytest.mark.parametrize("n_bytes", [0, 1, 1000, -100])
def test_a_truncated_file_is_refused(saved, tmp_path, n_bytes):
    path = tmp_path / "cut.pt"
    path.write_bytes(saved.read_bytes()[:n_bytes])
    message = refusal(path)
    assert "is truncated" in message or "is not a PyTorch file" in message


def test_an_array_that_is_missing_or_short_is_refused(saved, tmp_path):
    for wrong in (None, b"short"):
        path = tmp_path / "wrong.pt"
        with zipfile.ZipFile(saved) as source, zipfile.ZipFile(path, "w") as copy:
            for name in source.namelist():
                content = source.read(name)
                if name.endswith("/data/3"):
                    content = wrong
                if content is not None:
                    copy.writestr(name, content)
        assert "array 3 is" in refusal(path)


def test_the_old_format_says_what_to_do(tmp_path):
    path = tmp_path / "old.pt"
    torch.save({"dims": {}}, path, _use_new_zipfile_serialization=False)
    assert "format before 1.6; load it once with torch and write it again" in refusal(path)


def test_archives_that_torch_did_not_write_are_refused(tmp_path):
    content = pickle.dumps({})
    path = archive(tmp_path / "small.pt", content, compression=zipfile.ZIP_DEFLATED)
    assert "compressed archive" in refusal(path)
    with zipfile.ZipFile(tmp_path / "other.pt", "w") as file:
        file.writestr("readme.txt", "hello")
    assert "no data.pkl" in refusal(tmp_path / "other.pt")
    (tmp_path / "text.pt").write_text("hello")
    assert "is not a PyTorch file" in refusal(tmp_path / "text.pt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"state_dict": {}}, "needs dims and model_state_dict"),
        ([1, 2], "needs dims and model_state_dict"),
        ({"dims": {"n_mels": 80}, "model_state_dict": {}}, "dims: Object missing required field"),
        ({"dims": dims(MINIATURE), "model_state_dict": {}}, "encoder.conv1.weight is missing"),
    ],
)
def test_another_kind_of_content_is_refused(tmp_path, content, message):
    torch.save(content, tmp_path / "other.pt")
    assert message in refusal(tmp_path / "other.pt")


def test_an_odd_number_of_tokens_has_no_tokenizer(tmp_path):
    dimensions = ModelDimensions(80, 1500, 64, 2, 1, 500, 448, 64, 2, 1)
    torch.save({"dims": dims(dimensions), "model_state_dict": {}}, tmp_path / "odd.pt")
    assert "no official Whisper has 500 tokens" in refusal(tmp_path / "odd.pt")


def test_a_copy_is_known_by_its_content_not_by_its_name(saved, tmp_path):
    copy = shutil.copy(saved, tmp_path / "tiny.pt")
    assert load_checkpoint(copy).licence == "unknown"
    assert load_checkpoint(copy).digest == load_checkpoint(saved).digest
