"""What every format of checkpoint is read into before it is checked and completed."""

from __future__ import annotations

from dataclasses import dataclass

from ..edge.types import ModelDimensions
from .generation import PublishedGeneration
from .stored_tensor import StoredWeights


@dataclass(frozen=True)
class CheckpointParts:
    """One checkpoint as its files say, unchecked.

    Attributes:
        dimensions: The model's shape.
        weights: Tensors by Hugging Face's names without ``model.``.
        tokenizer: A complete, compact ``tokenizer.json``.
        published: What the files say about decoding.
        licence: Of the model card; None where it names none.
    """

    dimensions: ModelDimensions
    weights: StoredWeights
    tokenizer: bytes
    published: PublishedGeneration
    licence: str | None = None
