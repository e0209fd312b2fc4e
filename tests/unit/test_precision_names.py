"""``--int8``, ``--int5`` and their siblings: what each layout of each target makes of them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from whisperq_edge.edge.errors import UnsupportedPrecisionError
from whisperq_edge.edge.evaluation.plan import Wish, fit
from whisperq_edge.edge.types import Precision
from whisperq_edge.exporters import TARGETS, check_offer
from whisperq_edge.exporters.targets import GENERAL, Layout, Target, granted, offers, read, written
from whisperq_edge.models.quantize import Recipe

LAYOUTS = [
    pytest.param(name, layout, id=f"{name}-{layout}")
    for name, target in TARGETS.items()
    for layout in target.layouts
]
INT4, INT8 = Precision("int4", 32), Precision("int8")
# Of ggml's kind: names of its own, and one precision for all.
UNIFORM = Layout(
    "tests",
    ("fp16", "q8_0", "q5_0", "q4_0"),
    "any",
    means={"int8": "q8_0", "int5": "q5_0", "int4": "q4_0"},
    is_uniform=True,
)
PALETTES = Layout("tests", ("int8", "lut6", "int4:32"), "any", means={"int5": "lut6"})
PLAIN = Layout("tests", ("fp16", "int8", "int4:64"), "any")


def wish(precision, layout="native"):
    return Wish(
        "demo",
        None,
        True,
        Recipe.of(precision),
        precision,
        layout,
        windows=(),
        socs=(),
        verify=False,
        allow_loss=False,
    )


# What a name is stored as


@pytest.mark.parametrize(
    ("offer", "stored"),
    [
        (UNIFORM, {"fp16": "fp16", "int8": "q8_0", "int5": "q5_0", "int4": "q4_0"}),
        (PALETTES, {"int8": "int8", "int5": "lut6", "int4": "int4:32"}),
        (PLAIN, {"fp16": "fp16", "int8": "int8"}),  # its int4 has other blocks than --int4
    ],
)
def test_a_general_name_is_what_the_layout_calls_it(offer, stored):
    assert {name: offer.written_for(name) for name in GENERAL} == {
        **dict.fromkeys(GENERAL),
        **stored,
    }


def test_where_all_are_alike_the_head_is_no_finer():
    assert Recipe.of("int4").head == INT8
    assert UNIFORM.granted(Recipe.of("int4")) == Recipe.of("q4_0")
    assert PALETTES.granted(Recipe.of("int4")) == Recipe.of("int4")


def test_single_matrices_are_granted_too():
    recipe = replace(Recipe.of("int8"), layers={"encoder.0.fc1": Precision("int5")})
    assert PALETTES.granted(recipe).layers == {"encoder.0.fc1": Precision("lut6")}


@pytest.mark.parametrize("name", GENERAL)
@pytest.mark.parametrize(("target", "layout"), LAYOUTS)
def test_every_target_grants_a_name_or_refuses_it(target, layout, name):
    offer = TARGETS[target].layouts[layout]
    recipe = Recipe.of(name)
    meant = granted(target, layout, recipe)
    assert granted(target, layout, meant) == meant
    assert offers(target, layout, recipe) == (offer.written_for(name) is not None)
    if offer.written_for(name) is None:
        with pytest.raises(UnsupportedPrecisionError) as refused:
            check_offer(target, layout, recipe)
        assert "\n" not in str(refused.value)
        assert f"it offers {', '.join(offer.precisions)}" in str(refused.value)
        return
    check_offer(target, layout, recipe)
    assert {written(stored) for stored in meant.quantization.values()} <= set(offer.precisions)
    if offer.is_uniform:
        assert len(set(meant.quantization.values())) == 1


@pytest.mark.parametrize(("target", "layout"), LAYOUTS)
def test_own_names_are_offered(target, layout):
    offer = TARGETS[target].layouts[layout]
    assert set(offer.means) <= set(GENERAL)
    for own in offer.means.values():
        assert own in offer.precisions
        assert written(read(own)) == own


def test_what_stands_between_four_and_eight_bits():
    assert TARGETS["coreml"].layouts["native"].written_for("int5") == "lut6"
    assert granted("coreml", "native", Recipe.of("int5")) == Recipe.of("lut6")
    assert granted("onnx", "native", Recipe.of("int5")) == Recipe.of("int5")


# What stands in


@pytest.mark.parametrize(("target", "layout"), LAYOUTS)
def test_a_refusal_of_int5_says_what_to_take(target, layout):
    offer = TARGETS[target].layouts[layout]
    if offer.written_for("int5") is not None:
        return
    with pytest.raises(UnsupportedPrecisionError) as refused:
        check_offer(target, layout, Recipe.of("int5"))
    line = str(refused.value)
    assert line.startswith(f"{target} ({layout}) has nothing between 4 and 8 bits; take int8")
    mixes = any(precision.startswith("int4") for precision in offer.precisions)
    assert ("--precision auto, which mixes int4 and int8" in line) == mixes


def test_parts_that_are_refused_are_named():
    low = Precision("int5")
    recipe = Recipe(INT8, low, INT8)
    with pytest.raises(UnsupportedPrecisionError, match="nothing between 4 and 8 bits"):
        check_offer("onnx", "native", recipe)
    with pytest.raises(UnsupportedPrecisionError, match="has no lut6; it offers"):
        check_offer("onnx", "native", Recipe.of("lut6"))


@pytest.mark.parametrize("name", GENERAL)
@pytest.mark.parametrize(("target", "layout"), LAYOUTS)
def test_every_target_at_once_takes_nothing_coarser(target, layout, name):
    offer = TARGETS[target].layouts[layout]
    fitted, notes = fit(wish(name, layout), target, TARGETS[target])
    if offer.written_for(name) is not None:
        assert (fitted.recipe, fitted.precision, notes) == (Recipe.of(name), name, ())
        return
    finer = [other for other in GENERAL[: GENERAL.index(name)] if offer.written_for(other)]
    if not finer:  # the export refuses it
        assert (fitted.recipe, notes) == (Recipe.of(name), ())
        return
    check_offer(target, layout, fitted.recipe)
    taken = offer.written_for(finer[-1])
    assert written(fitted.recipe.decoder) == taken
    assert notes[0] == f"{target} ({layout}) has no {Recipe.of(name).decoder}; taking {taken}"
    assert fitted.precision == finer[-1]


@pytest.mark.parametrize(
    ("offer", "recipe", "taken", "name"),
    [
        (PALETTES, Recipe.of("int4", 64), Recipe.of("int4"), "int4"),
        (PALETTES, Recipe.of("int8", 64), INT8, "int8"),
        (PALETTES, Recipe.of("fp16"), None, "fp16"),
        (PLAIN, Recipe.of("int5"), INT8, "int8"),
        (UNIFORM, Recipe.of("int4"), None, "int4"),
        (replace(UNIFORM, means={"int8": "q8_0"}), Recipe.of("int5"), Precision("q8_0"), "q8_0"),
    ],
)
def test_what_a_layout_has_of_its_own_is_used(offer, recipe, taken, name):
    target = Target("none", "none", "none", {"native": offer})
    asked = replace(wish("int8"), recipe=recipe, precision=recipe.decoder.name)
    fitted, notes = fit(asked, "some", target)
    assert fitted.precision == name
    if taken is None:
        assert (fitted, notes) == (asked, ())
    elif isinstance(taken, Precision):
        assert fitted.recipe == Recipe(taken, taken, taken)
        assert notes == (f"some (native) has no {recipe.decoder}; taking {taken}",)
    else:
        assert fitted.recipe == taken


# What the command shows


def test_the_command_tells_other_names_alone(call):
    lines = call("targets").out.splitlines()
    told = [line for line in lines if " writes " in line]
    wanted = [
        (name, layout)
        for name, target in TARGETS.items()
        for layout, offer in target.layouts.items()
        if offer.means
    ]
    assert [line.split(":")[0] for line in told] == [f"{a} ({b})" for a, b in wanted]
    assert "coreml (native): --int5 writes lut6" in told
    for line, (name, layout) in zip(told, wanted, strict=True):
        for general, own in TARGETS[name].layouts[layout].means.items():
            assert f"--{general} writes {own}" in line


def test_the_json_tells_all_names(call):
    for record in json.loads(call("targets", "--json").out):
        for layout, shown in record["layouts"].items():
            offer = TARGETS[record["name"]].layouts[layout]
            assert shown["means"] == {name: offer.written_for(name) for name in GENERAL}
