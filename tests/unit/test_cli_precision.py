"""From precision options to a recipe."""

from __future__ import annotations

import pytest

from whisperq_edge.edge.cli.precision import (
    make_recipe,
    parse_precision,
    pick_precision,
    recipe_name,
)
from whisperq_edge.edge.errors import ConfigError, UnknownNameError, UnsupportedPrecisionError
from whisperq_edge.edge.types import Precision
from whisperq_edge.models.quantize import Recipe


def test_int8_is_the_default():
    assert make_recipe(pick_precision(None, {}), None, None, None, None) == Recipe.of("int8")


def test_parts_override_the_flag():
    recipe = make_recipe("int4", 64, "int8", None, "fp16")
    assert recipe == Recipe(Precision("int8"), Precision("int4", 64), Precision("fp16"))


def test_one_precision_is_picked():
    assert pick_precision(None, {"int4": True, "fp16": False}) == "int4"
    assert pick_precision("int4", {"int4": True}) == "int4"
    assert pick_precision("auto", {"int4": False}) == "auto"
    with pytest.raises(ConfigError, match="--int8 and --precision auto exclude each other"):
        pick_precision("auto", {"int8": True})


def test_auto_leaves_nothing_else_to_choose():
    assert make_recipe("auto", None, None, None, None) is None
    with pytest.raises(ConfigError, match="leave the --quant options out"):
        make_recipe("auto", None, None, "int8", None)


@pytest.mark.parametrize(
    ("text", "precision"),
    [
        ("int8", Precision("int8")),
        ("int8:128", Precision("int8", 128)),
        ("int4", Precision("int4", 32)),
        ("int4:64", Precision("int4", 64)),
        ("fp32", Precision("fp32")),
    ],
)
def test_precisions_are_read(text, precision):
    assert parse_precision(text) == precision


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("int7", UnknownNameError),
        ("int8:", ConfigError),
        ("int8:-32", ConfigError),
        ("int8:33", UnsupportedPrecisionError),
        ("fp16:32", UnsupportedPrecisionError),
    ],
)
def test_others_are_refused(text, error):
    with pytest.raises(error):
        parse_precision(text)


@pytest.mark.parametrize("name", ["int8", "int4", "fp16", "fp32"])
def test_plain_recipes_have_plain_names(name):
    assert recipe_name(Recipe.of(name)) == name


def test_mixed_recipes_have_their_own_name():
    mixed = make_recipe("int8", None, None, "int4:64", None)
    assert recipe_name(mixed) == "int8-int4b64-int8"
    assert recipe_name(Recipe.of("int8", 128)) == "int8b128"
