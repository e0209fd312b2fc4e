"""Folders in Hugging Face's layout."""

from __future__ import annotations

import hashlib
import json
import shutil

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from whisperq_edge.edge.errors import CheckpointError, UnknownNameError
from whisperq_edge.edge.types import ModelDimensions
from whisperq_edge.models.checkpoint import load_checkpoint
from whisperq_edge.models.random_checkpoint import (
    MINIATURE,
    random_weights,
    write_random_checkpoint,
)
from whisperq_edge.models.registry import find_entry
from whisperq_edge.models.tensors import tensor_shapes
from whisperq_edge.models.vocabulary import official_tokenizer

WEIGHTS = "model.safetensors"
QUERY = "encoder.layers.0.self_attn.q_proj.weight"
NON_SPEECH = 82  # tokens that openai/whisper's multilingual tokenizer calls so


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return write_random_checkpoint(tmp_path_factory.mktemp("checkpoint") / "mini", MINIATURE)


@pytest.fixture
def folder(original, tmp_path):
    """A copy that a test may break."""
    return shutil.copytree(original, tmp_path / "mini")


def change(path, **fields):
    content = json.loads(path.read_text())
    for name, value in fields.items():
        content[name] = value
        if value is ...:
            del content[name]
    path.write_text(json.dumps(content))


def rewrite(folder, **changes):
    """Replace tensors, or leave them out where the new value is None."""
    tensors = load_file(folder / WEIGHTS) | {f"model.{k}": v for k, v in changes.items()}
    save_file({k: v for k, v in tensors.items() if v is not None}, folder / WEIGHTS)


def refusal(folder):
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_tensor_is_what_was_stored(original):
    checkpoint = load_checkpoint(original)
    for name, expected in random_weights(MINIATURE, seed=0):
        found = checkpoint.tensor(name)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, expected)
    assert (checkpoint.name, checkpoint.licence, checkpoint.revision) == ("mini", "unknown", None)
    assert checkpoint.dimensions == MINIATURE
    assert checkpoint.tokenizer == official_tokenizer(MINIATURE.n_vocab)
    assert checkpoint.digest == hashlib.sha256((original / WEIGHTS).read_bytes()).hexdigest()


def test_float32_is_mapped_not_read(original):
    values = load_checkpoint(original).tensor("decoder.embed_tokens.weight")
    assert not values.flags.owndata
    assert not values.flags.writeable


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64])
def test_other_floats_become_float32(tmp_path, dtype):
    folder = write_random_checkpoint(tmp_path / "mini", MINIATURE, dtype=dtype)
    checkpoint = load_checkpoint(folder)
    for name, exact in random_weights(MINIATURE, seed=0):
        expected = exact.astype(dtype).astype(np.float32)
        np.testing.assert_array_equal(checkpoint.tensor(name), expected)


def shard(folder, n_shards=3):
    tensors = load_file(folder / WEIGHTS)
    names = sorted(tensors)
    place = {name: f"model-0000{i % n_shards + 1}.safetensors" for i, name in enumerate(names)}
    for file in sorted(set(place.values())):
        save_file({name: tensors[name] for name in names if place[name] == file}, folder / file)
    (folder / WEIGHTS).unlink()
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps({"weight_map": place}))
    return sorted(set(place.values()))


def test_weights_may_be_spread_over_files(folder, original):
    files = shard(folder)
    checkpoint, whole = load_checkpoint(folder), load_checkpoint(original)
    for name in tensor_shapes(MINIATURE):
        np.testing.assert_array_equal(checkpoint.tensor(name), whole.tensor(name))
    content = b"".join((folder / file).read_bytes() for file in files)
    assert checkpoint.digest == hashlib.sha256(content).hexdigest()


def test_a_missing_shard_is_named(folder):
    (folder / shard(folder)[1]).unlink()
    assert "model-00002.safetensors cannot be read: No such file" in refusal(folder)


def test_an_index_may_not_leave_its_folder(folder):
    shard(folder)
    index = {"weight_map": {QUERY: "../secret.safetensors"}}
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps(index))
    assert "names a file outside its folder" in refusal(folder)


def test_names_without_the_prefix_are_the_same(folder, original):
    tensors = load_file(folder / WEIGHTS)
    save_file({k.removeprefix("model."): v for k, v in tensors.items()}, folder / WEIGHTS)
    found = load_checkpoint(folder).tensor(QUERY)
    np.testing.assert_array_equal(found, load_checkpoint(original).tensor(QUERY))


def test_a_tied_head_may_be_stored_too(folder):
    tensors = load_file(folder / WEIGHTS)
    tensors["proj_out.weight"] = tensors["model.decoder.embed_tokens.weight"].copy()
    save_file(tensors, folder / WEIGHTS)
    assert load_checkpoint(folder).dimensions == MINIATURE
    tensors["proj_out.weight"][-1, -1] += 1
    save_file(tensors, folder / WEIGHTS)
    assert "proj_out.weight is not tied" in refusal(folder)


def test_a_missing_tensor_is_named(folder):
    rewrite(folder, **{QUERY: None})
    assert refusal(folder) == f"mini: the tensor {QUERY} is missing"


def test_a_tensor_of_another_shape_is_named_with_both(folder):
    rewrite(folder, **{QUERY: np.zeros((64, 32), np.float32)})
    assert refusal(folder) == f"mini: {QUERY} has shape (64, 32), wanted (64, 64)"


def test_the_embedding_must_have_a_row_for_every_token(folder):
    change(folder / "config.json", vocab_size=51866)
    assert "decoder.embed_tokens.weight has shape (51865, 64)" in refusal(folder)


def test_a_tensor_of_integers_is_refused(folder):
    rewrite(folder, **{QUERY: np.zeros((64, 64), np.int8)})
    assert f"{QUERY} is stored as I8" in refusal(folder)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_tensor_that_is_not_finite_is_refused_when_it_is_read(folder, value):
    damaged = load_file(folder / WEIGHTS)[f"model.{QUERY}"].copy()
    damaged[3, 5] = value
    rewrite(folder, **{QUERY: damaged})
    checkpoint = load_checkpoint(folder)
    checkpoint.tensor("encoder.conv1.weight")
    with pytest.raises(CheckpointError, match=f"{QUERY} holds NaN or infinity"):
        checkpoint.tensor(QUERY)


def test_a_tensor_that_no_whisper_has_is_refused(original):
    with pytest.raises(CheckpointError, match=r"mini has no tensor proj_in\.weight"):
        load_checkpoint(original).tensor("proj_in.weight")


@pytest.mark.parametrize("n_bytes", [0, 7, 100, 5_000, -1])
def test_truncated_weights_are_refused(folder, n_bytes):
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[:n_bytes])
    message = refusal(folder)
    assert WEIGHTS in message
    assert "truncated" in message or "only its beginning" in message


def test_weights_cut_short_after_loading_are_refused(folder):
    checkpoint = load_checkpoint(folder)
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:20_000])
    with pytest.raises(CheckpointError, match="changed while it was in use"):
        checkpoint.tensor("decoder.layers.1.fc2.weight")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (b"not json at all!", "is not a safetensors file"),
        (b'{"a": {"dtype": "F32"}}', "is not a safetensors file"),
        (b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}', "wrong number of bytes"),
        (b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]}}', "wrong number of"),
    ],
)
def test_a_corrupt_table_is_refused(folder, table, message):
    (folder / WEIGHTS).write_bytes(len(table).to_bytes(8, "little") + table + bytes(64))
    assert message in refusal(folder)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model_type": "bert"}, "model_type is 'bert', not 'whisper'"),
        ({"model_type": ...}, "model_type is None, not 'whisper'"),
        ({"d_model": ...}, "missing required field `d_model`"),
        ({"d_model": "64"}, "Expected `int`, got `str` - at `$.d_model`"),
        ({"encoder_ffn_dim": 128}, "encoder_ffn_dim is 128; every Whisper has 256"),
        ({"decoder_ffn_dim": 128}, "decoder_ffn_dim is 128; every Whisper has 256"),
        ({"activation_function": "relu"}, "activation_function is 'relu'"),
        ({"scale_embedding": True}, "scale_embedding is True"),
        ({"encoder_attention_heads": 3}, "3 heads cannot share a width of 64"),
        ({"decoder_attention_heads": 0}, "n_text_head is 0"),
        ({"decoder_layers": 3}, "decoder.layers.2.self_attn.q_proj.weight is missing"),
    ],
)
def test_a_config_that_is_no_whisper_is_refused(folder, fields, message):
    change(folder / "config.json", **fields)
    assert message in refusal(folder)


@pytest.mark.parametrize("name", ["config.json", "generation_config.json", "tokenizer.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe"])
def test_a_file_that_is_not_json_is_named(folder, name, content):
    (folder / name).write_bytes(content)
    assert name in refusal(folder)


def test_missing_files_are_named(folder):
    (folder / WEIGHTS).unlink()
    assert "has no weights: none of model.safetensors" in refusal(folder)
    (folder / "config.json").unlink()
    assert "is not a checkpoint: it has no config.json" in refusal(folder)
    (folder / "adapter_config.json").write_text("{}")
    assert "is an adapter; merge it" in refusal(folder)


def test_a_file_of_a_folder_is_not_the_checkpoint(folder):
    assert f"give its folder: {folder}" in refusal(folder / WEIGHTS)


def test_without_a_tokenizer_it_gets_the_official_one(folder):
    (folder / "tokenizer.json").unlink()
    assert load_checkpoint(folder).tokenizer == official_tokenizer(51865)


def test_published_settings_are_taken(original):
    generation = load_checkpoint(original).generation
    assert generation.languages[:3] == ("en", "zh", "de")
    assert len(generation.languages) == 99
    # What was published, and the tokens that steer a prompt.
    assert generation.suppress_tokens == (1, 2, 7, 50258, 50358, 50359, 50360, 50361, 50362)
    assert generation.begin_suppress_tokens == (220, 50257)
    assert generation.alignment_heads == ((1, 0), (1, 1))
    assert generation.max_initial_timestamp == 1.0


def test_settings_of_old_folders_are_in_the_config(folder):
    (folder / "generation_config.json").unlink()
    change(folder / "config.json", suppress_tokens=[5, 6, -1, 99999], begin_suppress_tokens=[])
    generation = load_checkpoint(folder).generation
    assert generation.suppress_tokens[:3] == (5, 6, 50258)
    assert generation.begin_suppress_tokens == ()


def test_the_config_fills_what_the_generation_config_leaves_out(folder):
    change(folder / "generation_config.json", suppress_tokens=None)
    change(folder / "config.json", suppress_tokens=[5], begin_suppress_tokens=[6])
    generation = load_checkpoint(folder).generation
    assert generation.suppress_tokens[:2] == (5, 50258)
    assert generation.begin_suppress_tokens == (220, 50257)


def test_settings_that_nobody_published_are_openai_s(folder):
    (folder / "generation_config.json").unlink()
    generation = load_checkpoint(folder).generation
    assert len(generation.languages) == 99
    assert len(generation.suppress_tokens) == NON_SPEECH + 6
    assert generation.begin_suppress_tokens == (220, 50257)
    assert generation.alignment_heads == ((1, 0), (1, 1))


def test_an_index_of_the_first_timestamp_is_in_steps_of_20_ms(folder):
    change(folder / "generation_config.json", max_initial_timestamp_index=75)
    assert load_checkpoint(folder).generation.max_initial_timestamp == 1.5


def test_a_teacher_s_alignment_heads_do_not_fit_its_pupil(folder):
    change(folder / "generation_config.json", alignment_heads=[[1, 0], [25, 6]])
    assert load_checkpoint(folder).generation.alignment_heads == ((1, 0), (1, 1))


def test_an_english_only_folder_has_no_languages(tmp_path):
    dimensions = ModelDimensions(80, 1500, 64, 2, 1, 51864, 448, 64, 2, 1)
    folder = write_random_checkpoint(tmp_path / "mini.en", dimensions)
    assert load_checkpoint(folder).generation.languages == ()
    change(folder / "generation_config.json", is_multilingual=...)
    assert load_checkpoint(folder).generation.languages == ()


def test_a_language_that_the_tokenizer_has_elsewhere_is_refused(folder):
    change(folder / "generation_config.json", lang_to_id={"<|en|>": 50260})
    assert "gives <|en|> the id 50260, tokenizer.json 50259" in refusal(folder)


def test_a_fine_tune_may_add_tokens(tmp_path, folder):
    content = json.loads((folder / "tokenizer.json").read_text())
    added = content["added_tokens"][-1] | {"id": 51865, "content": "<|mine|>"}
    content["added_tokens"].append(added)
    (folder / "tokenizer.json").write_text(json.dumps(content))
    change(folder / "config.json", vocab_size=51866)
    rows = load_file(folder / WEIGHTS)["model.decoder.embed_tokens.weight"]
    rewrite(folder, **{"decoder.embed_tokens.weight": np.concatenate([rows, rows[:1]])})
    checkpoint = load_checkpoint(folder)
    assert checkpoint.dimensions.n_vocab == 51866
    assert len(checkpoint.generation.languages) == 99
    assert b"<|mine|>" in checkpoint.tokenizer


@pytest.mark.parametrize("licence", ["apache-2.0", '"mit"'])
def test_the_licence_is_the_model_card_s(folder, licence):
    (folder / "README.md").write_text(f"---\nlanguage: en\nlicense: {licence}\n---\n# Mine\n")
    assert load_checkpoint(folder).licence == licence.strip('"')


def test_a_tiny_fine_tune_inherits_its_alignment_heads(tmp_path):
    tiny = find_entry("tiny")
    folder = write_random_checkpoint(tmp_path / "mine", tiny.dimensions, dtype=np.float16)
    change(folder / "generation_config.json", alignment_heads=None)
    assert load_checkpoint(folder).generation.alignment_heads == tiny.alignment_heads


def test_the_bundled_model_is_complete():
    demo = load_checkpoint("demo", offline=True)
    assert demo.name == "demo"
    assert demo.dimensions == find_entry("demo").dimensions
    assert demo.generation.alignment_heads == find_entry("demo").alignment_heads
    for name, shape in tensor_shapes(demo.dimensions).items():
        assert demo.tensor(name).shape == shape


@pytest.mark.parametrize("source", ["./nothing", "/nowhere/at/all", "a/b/c"])
def test_a_path_that_is_not_there_says_so(source):
    assert refusal(source) == f"{source} does not exist"


def test_a_short_name_that_is_unknown_gets_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'tiny'"):
        load_checkpoint("tinny")


def test_transformers_loads_a_random_checkpoint_whole(original):
    transformers = pytest.importorskip("transformers", reason="transformers is the oracle")
    model, report = transformers.WhisperForConditionalGeneration.from_pretrained(
        original, output_loading_info=True
    )
    assert not any(report.values())
    checkpoint = load_checkpoint(original)
    for name, tensor in model.model.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), checkpoint.tensor(name))
