"""Which tensors of a whisper.cpp file make up which parameter of ours.

whisper.cpp names its tensors as openai/whisper does. Ours are fused: queries, keys and values of a
layer are one product, and the cross-attention's keys and values of all decoder layers are another.

Source: ggml-org/whisper.cpp ``src/whisper-arch.h``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ..edge.types import ModelDimensions

# Our name within a block, and theirs.
_PRODUCTS = (("out", "attn.out"), ("fc1", "mlp.0"), ("fc2", "mlp.2"))
_CROSS_PRODUCTS = (("cross_q", "cross_attn.query"), ("cross_out", "cross_attn.out"))
_NORMS = (("attn_norm", "attn_ln"), ("mlp_norm", "mlp_ln"))
_NORM_NAMES = ("ln", "ln_post", "attn_ln", "mlp_ln", "cross_attn_ln")
KERNEL = 3  # of both convolutions
_LAST_NORMS = {"encoder": "encoder.ln_post", "decoder": "decoder.ln"}


class TensorNames(NamedTuple):
    """What a file calls the parts of our parameters.

    A parameter that is one tensor has one name. Of a fused one, the parts lie one after the other
    in its outputs; None is a part that the file lacks because it is all zeros: keys have no bias.

    Attributes:
        matrices: By our name.
        vectors: Likewise.
    """

    matrices: Mapping[str, tuple[str, ...]]
    vectors: Mapping[str, tuple[str | None, ...]]


def tensor_names(dimensions: ModelDimensions) -> TensorNames:
    """The tensors of a Whisper of these dimensions."""
    products: dict[str, tuple[str, ...]] = {
        "encoder.conv1": ("encoder.conv1",),
        "encoder.conv2": ("encoder.conv2",),
    }
    norms = {f"{side}.norm": name for side, name in _LAST_NORMS.items()}
    layers = {"encoder": dimensions.n_audio_layer, "decoder": dimensions.n_text_layer}
    for side, n_layers in layers.items():
        for layer in range(n_layers):
            ours, theirs = f"{side}.{layer}", f"{side}.blocks.{layer}"
            products |= dict(_products(side, ours, theirs))
            norms |= {f"{ours}.{norm}": f"{theirs}.{name}" for norm, name in _NORMS}
            if side == "decoder":
                norms[f"{ours}.cross_norm"] = f"{theirs}.cross_attn_ln"
    products["decoder.cross_kv"] = tuple(
        f"decoder.blocks.{layer}.cross_attn.{kind}"
        for layer in range(dimensions.n_text_layer)
        for kind in ("key", "value")
    )
    matrices = {ours: tuple(f"{name}.weight" for name in names) for ours, names in products.items()}
    matrices["decoder.embedding"] = ("decoder.token_embedding.weight",)
    vectors: dict[str, tuple[str | None, ...]] = {
        f"{side}.positions": (f"{side}.positional_embedding",) for side in layers
    }
    for ours, names in products.items():
        biases = (None if name.endswith(".key") else f"{name}.bias" for name in names)
        vectors[f"{ours}.bias"] = tuple(biases)
    for ours, name in norms.items():
        vectors |= {f"{ours}.gain": (f"{name}.weight",), f"{ours}.shift": (f"{name}.bias",)}
    return TensorNames(matrices, vectors)


def _products(side: str, ours: str, theirs: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield f"{ours}.qkv", tuple(f"{theirs}.attn.{kind}" for kind in ("query", "key", "value"))
    for product, name in (*_PRODUCTS, *(_CROSS_PRODUCTS if side == "decoder" else ())):
        yield f"{ours}.{product}", (f"{theirs}.{name}",)


def tensor_shape(name: str, dimensions: ModelDimensions) -> tuple[int, ...]:
    """The shape of a tensor of a file, by the file's name for it; the last axis is first there."""
    d = dimensions
    n_state = d.n_audio_state
    if name.endswith("positional_embedding"):
        return (d.n_audio_ctx if name.startswith("encoder.") else d.n_text_ctx, n_state)
    if name == "decoder.token_embedding.weight":
        return (d.n_vocab, n_state)
    if ".conv" in name:
        if name.endswith(".bias"):
            return (n_state, 1)
        return (n_state, d.n_mels if name == "encoder.conv1.weight" else n_state, KERNEL)
    n_out = 4 * n_state if ".mlp.0." in name else n_state
    if not is_matrix(name):
        return (n_out,)
    return (n_out, 4 * n_state if ".mlp.2." in name else n_state)


def is_matrix(name: str) -> bool:
    """Whether a tensor is the weight of a product, a convolution, or the table of tokens."""
    return name.endswith(".weight") and name.split(".")[-2] not in _NORM_NAMES
