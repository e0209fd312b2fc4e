"""Every artifact beside the NumPy reference with the same integers.

A form without rounded activations must agree to float accuracy. Where activations are rounded, one
that lies on the edge between two integers may fall to the other side in another summation order,
and because ranges are measured at run time, everything after it is rounded on another grid. Whole
graphs are then compared against the reference's own sensitivity, and single products, which get
equal inputs, to float accuracy.
"""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from whisperq_edge.edge.errors import ParityError
from whisperq_edge.edge.evaluation.gate import check
from whisperq_edge.edge.evaluation.verify import verify
from whisperq_edge.exporters import exporter_for

from .sessions import EXACT, FORMS, artifact, prepared


def relative(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def arrays(matrix):
    return (matrix,) if isinstance(matrix, np.ndarray) else matrix.arrays


@pytest.mark.parametrize("form", FORMS)
def test_the_artifact_agrees_with_the_reference(form):
    parity = verify(artifact(form))
    for part in parity.parts.values():
        limit = 1e-5 if form in EXACT else 1e-3 + 3 * part.sensitivity
        assert part.relative_error < limit
        assert part.cosine > (1 - 1e-6 if form in EXACT else 0.999)
    if form in EXACT:
        assert parity.token_agreement == 1


@pytest.mark.parametrize("form", FORMS)
def test_the_stored_integers_come_back(form):
    made = artifact(form)
    exporter = exporter_for(FORMS[form].target)
    back = exporter.read_parameters(made.folder, made.manifest)
    wanted = exporter.fitted(prepared(form))
    assert back.matrices.keys() == wanted.matrices.keys()
    for name, matrix in wanted.matrices.items():
        for ours, theirs in zip(arrays(matrix), arrays(back.matrices[name]), strict=True):
            np.testing.assert_array_equal(theirs, ours)
    assert back.vectors.keys() == wanted.vectors.keys()
    for name, vector in wanted.vectors.items():
        np.testing.assert_array_equal(back.vectors[name], vector)


def test_verify_fails_past_the_manifests_tolerance():
    made = artifact("onnx-fp32")
    parity = verify(made)
    check(parity, made.manifest.tolerance)
    worse = msgspec.structs.replace
    part = worse(parity.parts["decoder"], relative_error=1.1e-4 + 3e-6)
    for broken, line in (
        (worse(parity, parts={**parity.parts, "decoder": part}), "decoder: relative error is"),
        (worse(parity, parts={"encoder": worse(part, relative_error=np.nan)}), "encoder: relative"),
        (worse(parity, token_agreement=0.99), "share of other tokens is 0.01"),
        (
            worse(parity, wer=0.53, wer_reference=0.5, n_words=1000),
            "words: rise of the error rate is 0.03, allowed 0.01",
        ),
        (
            worse(parity, wer=0.6, wer_reference=0.5, n_words=40),
            "words: rise of the error rate is 0.1, allowed 0.075",
        ),
    ):
        with pytest.raises(ParityError, match=line):
            check(broken, made.manifest.tolerance)
    check(worse(parity, wer=0.57, wer_reference=0.5, n_words=40), made.manifest.tolerance)
    # A checkpoint that misses the words itself cannot be judged by them.
    check(worse(parity, wer=2.0, wer_reference=1.0), made.manifest.tolerance)
