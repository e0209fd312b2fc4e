import base64
import gzip

import msgspec
import numpy as np
import pytest

from whisperq_edge.edge.errors import ConfigError, UnknownNameError
from whisperq_edge.models.checkpoint import load_checkpoint
from whisperq_edge.models.random_checkpoint import write_random_checkpoint
from whisperq_edge.models.registry import (
    alignment_heads_like,
    entry_of_digest,
    entry_of_hub_id,
    find_entry,
    read_registry,
    registry,
)

# As the Hub counts them in the safetensors files.
PARAMETERS = {
    "tiny": 37_760_640,
    "tiny.en": 37_760_256,
    "base": 72_593_920,
    "base.en": 72_593_408,
    "small": 241_734_912,
    "small.en": 241_734_144,
    "medium": 763_857_920,
    "medium.en": 763_856_896,
    "large-v2": 1_543_304_960,
    "large-v3": 1_543_490_560,
    "large-v3-turbo": 808_878_080,
}
NAMES = (
    *PARAMETERS,
    "large-v1",
    "distil-small.en",
    "distil-medium.en",
    "distil-large-v2",
    "distil-large-v3",
    "distil-large-v3.5",
    "demo",
)


def test_every_official_model_is_there():
    assert set(registry()) == set(NAMES)
    assert all(entry.hub for name, entry in registry().items() if name != "demo")
    assert all(entry.licence in ("mit", "apache-2.0") for entry in registry().values())


@pytest.mark.parametrize("name", PARAMETERS)
def test_dimensions_give_the_published_number_of_parameters(name):
    assert find_entry(name).n_parameters == PARAMETERS[name]


@pytest.mark.parametrize("name", registry())
def test_dimensions_are_those_that_transformers_builds(name):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    transformers = pytest.importorskip("transformers", reason="transformers is the oracle")
    entry = find_entry(name)
    with torch.device("meta"):
        model = transformers.WhisperForConditionalGeneration(
            transformers.WhisperConfig(
                vocab_size=entry.n_vocab,
                num_mel_bins=entry.n_mels,
                d_model=entry.n_state,
                encoder_layers=entry.n_audio_layer,
                decoder_layers=entry.n_text_layer,
                encoder_attention_heads=entry.n_head,
                decoder_attention_heads=entry.n_head,
                encoder_ffn_dim=4 * entry.n_state,
                decoder_ffn_dim=4 * entry.n_state,
            )
        )
    assert sum(p.numel() for p in model.parameters()) == entry.n_parameters


@pytest.mark.parametrize(
    ("name", "n_languages"), [("demo", 1), ("tiny.en", 1), ("tiny", 99), ("large-v3", 100)]
)
def test_languages(name, n_languages):
    assert find_entry(name).n_languages == n_languages


@pytest.mark.parametrize("name", [name for name in registry() if registry()[name].openai_sha256])
def test_alignment_heads_and_digests_are_openai_s(name):
    whisper = pytest.importorskip("whisper", reason="openai-whisper is the oracle")
    entry = find_entry(name)
    mask = gzip.decompress(base64.b85decode(whisper._ALIGNMENT_HEADS[name]))
    table = np.frombuffer(mask, bool).reshape(entry.n_text_layer, entry.n_head)
    assert entry.alignment_heads == tuple(map(tuple, np.argwhere(table).tolist()))
    assert f"/{entry.openai_sha256}/" in whisper._MODELS[name]
    assert entry_of_digest(entry.openai_sha256) is entry


def test_a_fine_tune_inherits_the_heads_of_the_later_model_of_its_shape():
    v2 = find_entry("large-v2")
    assert find_entry("large-v1").dimensions == v2.dimensions
    assert alignment_heads_like(v2.dimensions) == v2.alignment_heads
    assert alignment_heads_like(find_entry("distil-large-v3").dimensions) == ()
    other = msgspec.structs.replace(v2.dimensions, n_text_layer=3)
    assert alignment_heads_like(other) == ()


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'large-v3-turbo'"):
        find_entry("large-v3-turbos")


def test_an_entry_is_found_by_its_hub_id():
    assert entry_of_hub_id("distil-whisper/distil-small.en") is find_entry("distil-small.en")
    assert entry_of_hub_id("somebody/else") is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'[tiny]\nlicense = "mit"', r"registry.toml: \[tiny\]: .*license"),
        (b'[tiny]\nlicence = "mit"', r"registry.toml: \[tiny\]: .*n_mels"),
        (b"[tiny", r"registry.toml: "),
    ],
)
def test_a_wrong_file_is_an_error_that_names_it(content, message):
    with pytest.raises(ConfigError, match=message):
        read_registry(content)


@pytest.mark.parametrize("name", ["tiny", "tiny.en"])
def test_a_random_checkpoint_of_a_small_entry_is_complete(tmp_path, name):
    entry = find_entry(name)
    folder = write_random_checkpoint(
        tmp_path / name, entry.dimensions, dtype=np.float16, alignment_heads=entry.alignment_heads
    )
    checkpoint = load_checkpoint(folder)
    assert checkpoint.dimensions == entry.dimensions
    assert checkpoint.generation.alignment_heads == entry.alignment_heads
    assert (len(checkpoint.generation.languages) or 1) == entry.n_languages
