"""Recipes in files: what is written comes back, and what is wrong is refused by name."""

from __future__ import annotations

import msgspec
import pytest

from whisperq_edge.edge.errors import ConfigError, UnknownNameError, WhisperqError
from whisperq_edge.edge.evaluation.export import check_layers
from whisperq_edge.edge.evaluation.recipe_file import (
    CheckpointMark,
    Measured,
    RecipeFile,
    by_parts,
    read_recipe_file,
    texts_of,
    write_recipe_file,
)
from whisperq_edge.edge.types import Precision
from whisperq_edge.exporters import ExportRequest
from whisperq_edge.models.checkpoint import load_checkpoint
from whisperq_edge.models.matrix_names import matrix_names
from whisperq_edge.models.parameters import prepare
from whisperq_edge.models.quantize import Recipe

INT4, INT8, FP16 = Precision("int4", 64), Precision("int8"), Precision("fp16")
BY_HAND = """
format = 1
[parts]
encoder = "int8"
decoder = "int4"
head = "int8"
"""


@pytest.fixture(scope="module")
def demo():
    return load_checkpoint("demo", offline=True)


def file_of(recipe):
    parts, layers = texts_of(recipe)
    return RecipeFile(
        format=1,
        parts=parts,
        layers=layers,
        rounding=recipe.rounding,
        calibration_digest="c" * 64,
        checkpoint=CheckpointMark('a "name" with = signs', "d" * 64),
        measured=Measured(0.1, 0.05, 1.5e-7, 0.99, 123, "a limit", 24, "e" * 64, "tool 1"),
    )


def test_what_is_written_comes_back(tmp_path):
    layers = {"encoder.0.fc1": INT8, "decoder.1.qkv": FP16}
    recipe = Recipe(INT4, INT4, INT8, layers, rounding="gptq")
    path = tmp_path / "new" / "mix.toml"
    write_recipe_file(path, file_of(recipe))
    found = read_recipe_file(path)
    assert found == file_of(recipe)
    assert found.recipe == recipe
    assert "whisperq-edge export --recipe" in path.read_text()
    assert [entry.name for entry in path.parent.iterdir()] == ["mix.toml"]


def test_a_person_may_write_less(tmp_path):
    path = tmp_path / "mix.toml"
    path.write_text(BY_HAND)
    found = read_recipe_file(path)
    assert found.recipe == Recipe(INT8, Precision("int4", 32), INT8)
    assert found.checkpoint is None
    assert found.measured is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BY_HAND.replace("format = 1", "format = 2"), "format 2 is not 1"),
        (BY_HAND.replace("format = 1", ""), "format"),
        (BY_HAND.replace('head = "int8"', ""), "lacks head"),
        (BY_HAND + 'heads = "int8"', "has no heads"),
        (BY_HAND.replace("int4", "int3"), "did you mean"),
        (BY_HAND.replace("int4", "int4:48"), "32, 64"),
        (BY_HAND.replace("int4", "int4:"), "PRECISION[:BLOCK]"),
        (BY_HAND + '[layers]\n"encoder.0.fc1" = "float"', "encoder.0.fc1"),
        (BY_HAND + '[layer]\n"encoder.0.fc1" = "fp16"', "layer"),
        (BY_HAND.replace("format = 1", 'format = 1\nrounding = "gtpq"'), "gtpq"),
        (BY_HAND + '[measured]\nwer = "low"', "wer"),
        ("format = ", "not a recipe"),
        ("", "format"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, words):
    path = tmp_path / "mix.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"not a recipe") as refused:
        read_recipe_file(path)
    assert words in str(refused.value)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_cannot_be_read_or_written_says_so(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_recipe_file(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not a recipe"):
        read_recipe_file(tmp_path / "bytes.toml")
    (tmp_path / "file").write_text("")
    with pytest.raises(WhisperqError, match="cannot write"):
        write_recipe_file(tmp_path / "file" / "mix.toml", file_of(Recipe.of("int8")))


def test_nothing_is_left_half_written(tmp_path):
    target = tmp_path / "mix.toml"
    target.mkdir()  # which nothing can be renamed onto
    with pytest.raises(WhisperqError, match="cannot write"):
        write_recipe_file(target, file_of(Recipe.of("int8")))
    assert list(tmp_path.iterdir()) == [target]


def test_a_mixture_is_written_as_briefly_as_it_can_be(demo):
    names = matrix_names(demo.dimensions)
    matrices = {name: INT4 if ".fc" in name else INT8 for name in names}
    recipe = by_parts(matrices)
    assert (recipe.encoder, recipe.decoder, recipe.head) == (INT8, INT8, INT8)
    assert set(recipe.layers) == {name for name in names if ".fc" in name}
    assert {name: recipe.precision(name) for name in names} == matrices


def test_the_names_are_those_of_the_matrices(demo):
    exact = prepare(demo, Recipe.of("fp32"))
    assert sorted(matrix_names(demo.dimensions)) == sorted(exact.matrices)
    assert matrix_names(demo.dimensions)[-1] == "decoder.embedding"


def test_a_layer_that_is_not_there_is_refused_with_the_nearest(demo):
    recipe = Recipe(INT8, INT8, INT8, {"encoder.0.fc3": INT4})
    with pytest.raises(UnknownNameError, match=r"did you mean 'encoder\.0\.fc"):
        check_layers(ExportRequest(demo, recipe))


@pytest.mark.parametrize(
    ("recipe", "has_int4"),
    [
        (Recipe(INT8, INT8, INT8), False),
        (Recipe(INT8, INT8, INT4), False),  # the head's table is rounded to the nearest
        (Recipe(INT8, INT8, INT8, {"decoder.embedding": INT4}), False),
        (Recipe(INT8, INT4, INT8), True),
        (Recipe(INT8, INT8, INT8, {"encoder.0.fc1": INT4}), True),
    ],
)
def test_rounding_by_recordings_needs_something_to_round(demo, recipe, has_int4):
    calibrated = ExportRequest(demo, rounded_by_gptq(recipe))
    assert recipe.has_int4 is has_int4
    if has_int4:
        check_layers(calibrated)
    else:
        with pytest.raises(ConfigError, match="for int4"):
            check_layers(calibrated)


def rounded_by_gptq(recipe):
    return Recipe(recipe.encoder, recipe.decoder, recipe.head, recipe.layers, rounding="gptq")


def test_the_file_knows_no_other_keys():
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.convert({"format": 1, "parts": {}, "more": 1}, RecipeFile)
