"""A checkpoint as openai/whisper's own code takes it: its tensors under their names there.

It is a NumPy file rather than the ``.pt`` that openai/whisper downloads, since the process that
writes it needs no PyTorch. ``engines`` of ``variants/`` read it and hand over the model.
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np

from whisperq_edge.models.checkpoint import Checkpoint
from whisperq_edge.models.openai_file import openai_name
from whisperq_edge.models.tensors import tensor_shapes

WEIGHTS = "weights.npz"
FACTS = "model.json"  # dimensions and alignment heads


def write_openai(checkpoint: Checkpoint, folder: Path) -> None:
    """Write the tensors, in float32, and what the model has to be built with."""
    tensors = {
        openai_name(name): checkpoint.tensor(name).astype(np.float32)
        for name in tensor_shapes(checkpoint.dimensions)
    }
    np.savez(folder / WEIGHTS, **tensors)  # type: ignore[arg-type]
    facts = {
        "dimensions": msgspec.structs.asdict(checkpoint.dimensions),
        "alignment_heads": checkpoint.generation.alignment_heads,
    }
    (folder / FACTS).write_text(json.dumps(facts))
