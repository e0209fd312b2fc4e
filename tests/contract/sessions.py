"""Every form in which a session exists here, over one random checkpoint."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple

import msgspec
import pytest

from whisperq_edge.edge.artifact import PLAIN_DECODER, Artifact
from whisperq_edge.edge.cli.precision import parse_precision
from whisperq_edge.edge.evaluation.export import export
from whisperq_edge.exporters import TARGETS, ExportRequest, exporter_for
from whisperq_edge.exporters.targets import Layout
from whisperq_edge.models.checkpoint import Checkpoint, load_checkpoint
from whisperq_edge.models.parameters import Parameters, prepare
from whisperq_edge.models.quantize import Recipe
from whisperq_edge.models.random_checkpoint import MINIATURE, write_random_checkpoint
from whisperq_edge.runtimes import open_session
from whisperq_edge.runtimes.run_reference import ReferenceSession

# Precisions that a runtime computes itself, without rounding what is multiplied.
FLOAT = ("fp32", "fp16")


class Form(NamedTuple):
    """One way to export: a cell of the table of targets."""

    target: str
    layout: str
    precision: str

    @property
    def name(self) -> str:
        layout = "" if self.layout == "native" else f"-{self.layout}"
        return f"{self.target}{layout}-{self.precision.replace(':', '-')}"


# Every cell of the table of targets is tested, and so is whatever is added to it.
FORMS = {
    form.name: form
    for form in (
        Form(name, layout, precision)
        for name, target in TARGETS.items()
        for layout, offer in target.layouts.items()
        for precision in offer.precisions
    )
}
# Those that another program decodes, and all others.
ENCODERS = [
    name for name, form in FORMS.items() if TARGETS[form.target].layouts[form.layout].encoder_only
]
DECODING = [name for name in FORMS if name not in ENCODERS]
# Sessions of the same artifacts with another decoder graph.
ALTERNATIVES = {"onnx-int8-plain": ("onnx-int8", PLAIN_DECODER)}
# Targets that compute in halves where the weights are halves.
IN_HALVES = ("coreml",)
# Targets that keep what attention multiplies in halves, whatever the weights are.
HALF_ATTENTION = ("ggml",)
# Forms that compute in float32 throughout, and agree with the reference to float accuracy.
EXACT = [
    name
    for name, form in FORMS.items()
    if form.precision in FLOAT
    and not (form.precision == "fp16" and form.target in IN_HALVES)
    and form.target not in HALF_ATTENTION
]
# Where shapes are fixed: short, so that an interpreter in NumPy keeps its pace, and one longer.
WINDOWS = (100, 250)


def needs(form: str) -> None:
    """Skip the test if the library that writes this form is not installed."""
    pytest.importorskip(TARGETS[FORMS[form].target].module)


@cache
def miniature(n_audio_ctx: int = MINIATURE.n_audio_ctx) -> Checkpoint:
    """A random checkpoint with two alignment heads in different layers."""
    folder = Path(mkdtemp(prefix="miniature-"))
    heads = [(1, 1), (0, 0)]
    dimensions = msgspec.structs.replace(MINIATURE, n_audio_ctx=n_audio_ctx)
    return load_checkpoint(write_random_checkpoint(folder, dimensions, alignment_heads=heads))


def checkpoint(form: str) -> Checkpoint:
    """What a form is made from: whose whole window is short, where there are whole ones only."""
    whole = form in FORMS and layout_of(form).windows == "whole"
    return miniature(WINDOWS[-1]) if whole else miniature()


def layout_of(form: str) -> Layout:
    """The cell of the table of targets that a form is."""
    return TARGETS[FORMS[form].target].layouts[FORMS[form].layout]


@cache
def artifact(form: str) -> Artifact:
    """An artifact of the miniature; not to be changed."""
    needs(form)
    target, layout, precision = FORMS[form]
    windows = WINDOWS if layout_of(form).windows == "choice" else ()
    request = ExportRequest(checkpoint(form), recipe(precision), layout, windows)
    return export(target, request, Path(mkdtemp(prefix=form)) / "artifact", verify=False)


def n_alignments(form: str) -> int:
    """What a session gives of the miniature's alignment heads: each, or their mean."""
    if form in ALTERNATIVES:
        form = ALTERNATIVES[form][0]
    if form not in FORMS:
        return 2
    return 2 if layout_of(form).alignment == "heads" else 1


def prepared(form: str) -> Parameters:
    """The miniature's parameters in the precision of a form, before a target fits them."""
    wanted = recipe(FORMS[form].precision)
    return prepare(
        checkpoint(form),
        wanted,
        encoder_only=layout_of(form).encoder_only,
        as_published=exporter_for(FORMS[form].target).as_published,
    )


def recipe(precision: str) -> Recipe:
    """The recipe behind a precision of the table, int4's 8-bit head included."""
    stored = parse_precision(precision)
    return Recipe.of(stored.name, stored.block)


def session(form: str):
    """A fresh session; "reference" is NumPy in fp32."""
    if form == "reference":
        return reference("onnx-fp32")
    if form in ALTERNATIVES:
        form, decoder = ALTERNATIVES[form]
        return open_session(artifact(form), threads=1, decoder=decoder)
    # Where Core ML itself runs, on the one processor that rounds as it is told.
    core_ml = FORMS[form].target == "coreml" and sys.platform == "darwin"
    device = "CPU_ONLY" if core_ml else None
    return open_session(artifact(form), threads=1, decoder="decoder", device=device)


def reference(form: str) -> ReferenceSession:
    """NumPy with the integers and the rounding of an artifact."""
    made = artifact(form)
    manifest = made.manifest
    parameters = exporter_for(manifest.target).read_parameters(made.folder, manifest)
    graphs = manifest.graphs
    judged = [graphs[name] for name in ("encoder", "decoder") if name in graphs]
    rules = {part: rule for graph in judged for part, rule in graph.activations.items()}
    return ReferenceSession(parameters, manifest.dimensions, manifest.generation, rules)
