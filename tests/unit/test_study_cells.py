"""What a study exports: each artifact once, and what stands in for what."""

from __future__ import annotations

from pathlib import Path

import pytest

from whisperq_edge.edge.study.cells import cells_of
from whisperq_edge.edge.study.config import StudyConfig
from whisperq_edge.exporters import TARGETS
from whisperq_edge.exporters.targets import check_offer

EVERY = ("fp32", "fp16", "int8", "int5", "int4")


def cells(targets, precisions=EVERY, checkpoints=("demo",)):
    config = StudyConfig("t", checkpoints, tuple(targets), tuple(precisions))
    return cells_of(config, dict.fromkeys(checkpoints, "demo"), Path("there"))


def test_a_precision_that_a_target_lacks_is_exported_once():
    found, absent = cells(["onnx"])
    assert [(one.precision, one.instead_of) for one in found] == [
        ("fp32", ()),
        ("fp16", ()),
        ("int8", ("int5",)),
        ("int4", ()),
    ]
    assert not absent


@pytest.mark.parametrize("order", [EVERY, tuple(reversed(EVERY))])
def test_the_order_of_the_file_does_not_matter(order):
    found, _ = cells(["onnx"], order)
    assert {one.precision: one.instead_of for one in found}["int8"] == ("int5",)


def test_what_has_no_stand_in_is_absent():
    found, absent = cells(["qualcomm"])
    assert [(one.precision, set(one.instead_of)) for one in found] == [("int8", {"int5", "int4"})]
    assert [one.precision for one in absent] == ["fp32", "fp16"]
    assert all("qualcomm" in one.reason for one in absent)


def test_a_stand_in_alone_has_its_own_name():
    found, _ = cells(["onnx"], ["int5"])
    assert [(one.precision, one.instead_of) for one in found] == [("int8", ("int5",))]
    assert found[0].job.output.name == "demo-onnx-int8"


@pytest.mark.parametrize("target", TARGETS)
def test_every_cell_is_offered_and_has_a_folder_of_its_own(target):
    found, _ = cells([target], checkpoints=("demo", "random:tiny", "random:base"))
    assert found
    for one in found:
        check_offer(one.target, one.job.wish.layout, one.job.wish.recipe)
        assert not one.job.wish.verify and one.job.wish.allow_loss
    folders = [one.job.output for one in found]
    assert len(set(folders)) == len(folders)
