"""Which matrices bear coarse integers, and which do not: measured, one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...models.parameters import Parameters
from ...models.quantize import part_of
from ...models.reference import Cache, NumpyOps
from ...models.whisper import decode, encode
from ..types import FloatArray, ModelDimensions, Progress
from .blas import one_blas_thread
from .listening import Heard
from .loss import LossMeter

# Two recordings tell matrices apart that differ tenfold; small models can afford more.
PARAMETERS_TIMES_RECORDINGS = 6e7
MIN_RECORDINGS, MAX_RECORDINGS = 2, 8
# The norm that is smoothed together with a matrix: what is divided here is multiplied there.
NORMS = {"qkv": "attn_norm", "cross_q": "cross_norm", "fc1": "mlp_norm"}


@one_blas_thread()
def divergences(
    exact: Parameters,
    coarse: Parameters,
    dimensions: ModelDimensions,
    heard: Sequence[Heard],
    progress: Progress,
) -> dict[str, float]:
    """The divergence that each matrix causes when it alone is coarse, worst first.

    Args:
        exact: The checkpoint in fp32.
        coarse: The same in the format in question.
        dimensions: The model's shape.
        heard: What the checkpoint makes of recordings; some of them are used.
        progress: Told the stage "rank the layers".
    """
    probe = Probe(exact, dimensions, heard)
    found: dict[str, float] = {}
    for done, name in enumerate(coarse.matrices):
        progress("rank the layers", done / len(coarse.matrices))
        found[name] = probe.divergence(coarse, name)
    progress("rank the layers", 1.0)
    return dict(sorted(found.items(), key=lambda entry: -entry[1]))


class Probe:
    """Measures what a checkpoint loses by one matrix.

    Args:
        exact: The checkpoint in fp32.
        dimensions: The model's shape.
        heard: What it makes of recordings; as many are used as the model's size allows.
    """

    def __init__(
        self, exact: Parameters, dimensions: ModelDimensions, heard: Sequence[Heard]
    ) -> None:
        n = int(np.clip(PARAMETERS_TIMES_RECORDINGS / exact.size, MIN_RECORDINGS, MAX_RECORDINGS))
        self._heard = [heard[i * len(heard) // n] for i in range(min(n, len(heard)))]
        self._exact, self._dimensions = exact, dimensions
        self._windows = [_encoded(exact, dimensions, said) for said in self._heard]

    def divergence(self, coarse: Parameters, name: str) -> float:
        """From the checkpoint, in nats, where only the matrix ``name`` is as in ``coarse``."""
        changed, meter = _with(self._exact, coarse, name), LossMeter()
        for said, window in zip(self._heard, self._windows, strict=True):
            if part_of(name) == "encoder":
                window = _encoded(changed, self._dimensions, said)
            meter.add(_logits(changed, self._dimensions, said, window), said.logits)
        return meter.result().divergence


def _with(exact: Parameters, coarse: Parameters, name: str) -> Parameters:
    """The exact parameters but for one matrix, and the norm that goes with it."""
    block, _, operation = name.rpartition(".")
    norm = "encoder.norm" if name == "decoder.cross_kv" else f"{block}.{NORMS.get(operation)}"
    vectors = {
        key: vector for key, vector in coarse.vectors.items() if key.rpartition(".")[0] == norm
    }
    return replace(
        exact,
        matrices={**exact.matrices, name: coarse.matrices[name]},
        vectors={**exact.vectors, **vectors},
    )


class _AllPlaces(NumpyOps):
    """Gives the logits of every place of a text at once."""

    def head(self, x: FloatArray, name: str) -> FloatArray:
        """See Ops; (b, t, d) to (b, t, n_vocab)."""
        return self._product(x, name)


Window = list[tuple[FloatArray, FloatArray]]


def _encoded(parameters: Parameters, dimensions: ModelDimensions, said: Heard) -> Window:
    ops = NumpyOps(parameters)
    encode(ops, np.ascontiguousarray(said.mel.T)[None], dimensions)
    return ops.cache.cross


def _logits(
    parameters: Parameters, dimensions: ModelDimensions, said: Heard, window: Window
) -> FloatArray:
    """After the prompt and every token of the text: (n_text + 1, n_vocab)."""
    ops = _AllPlaces(parameters)
    ops.cache = Cache(cross=window)
    ops.tokens = np.array([said.tokens], np.int64)
    return decode(ops, dimensions, ())[0, said.n_prompt - 1 :]
