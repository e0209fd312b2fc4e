"""The network's weights as a checkpoint in Hugging Face's layout, and back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from classes import Classes, classes_of_embedding
from network import Sizes, Whisper

WEIGHTS = "model.safetensors"
EMBEDDING = "decoder.embed_tokens.weight"
PREFIX = "model."
SETTINGS = (
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
)


def fresh(folder: Path, classes: Classes) -> Whisper:
    """A network with the shape that ``folder/config.json`` gives, and random weights."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    sizes = Sizes(
        n_state=config["d_model"],
        n_heads=config["encoder_attention_heads"],
        n_encoder_layers=config["encoder_layers"],
        n_decoder_layers=config["decoder_layers"],
    )
    return Whisper(sizes, len(classes), classes.unused_bias)


def read(folder: Path) -> tuple[Whisper, Classes]:
    """The network of a checkpoint that ``write`` wrote, over its trained tokens."""
    weights = {
        name.removeprefix(PREFIX): tensor.float()
        for name, tensor in load_file(folder / WEIGHTS).items()
        if name.startswith(PREFIX)
    }
    classes = classes_of_embedding(weights[EMBEDDING])
    weights[EMBEDDING] = classes.compact(weights[EMBEDDING])
    network = fresh(folder, classes)
    network.load_state_dict(weights)
    return network, classes


def write(network: Whisper, classes: Classes, folder: Path, settings: Path) -> None:
    """Write a checkpoint: 51865 rows, float16.

    Args:
        network: Its weights are written.
        classes: The trained tokens.
        folder: Made if it is missing.
        settings: A checkpoint whose other files are copied: training changes only the weights.
    """
    weights: dict[str, Tensor] = dict(network.state_dict())
    weights[EMBEDDING] = classes.full(weights[EMBEDDING])
    half = {
        PREFIX + name: tensor.to(torch.float16).contiguous() for name, tensor in weights.items()
    }
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{WEIGHTS}.part"
    save_file(half, part, metadata={"format": "pt"})
    part.replace(folder / WEIGHTS)
    for name in SETTINGS:
        if not (folder / name).exists() or not (folder / name).samefile(settings / name):
            shutil.copyfile(settings / name, folder / name)
