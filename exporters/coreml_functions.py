"""The functions of a Core ML export: what each takes and gives, and its body by the definition.

WhisperKit's and whisper.cpp's are fixed by those programs. The native ones are WhisperKit's but for
the cross-attention: its keys and values are computed once per window and passed, where WhisperKit's
decoder computes them anew for every token.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from coremltools.converters.mil.mil import Builder as mb
from coremltools.converters.mil.mil import Function, types

from ..edge.types import (
    FRAMES_PER_POSITION,
    HOP_LENGTH,
    GenerationSettings,
    ModelDimensions,
)
from ..models.parameters import Parameters
from ..models.whisper import decode, encode_audio, fill_cross_cache
from .coreml_mel import log_mel
from .coreml_ops import CoremlOps, Value

_TYPES = {np.float16: types.fp16, np.float32: types.fp32, np.int32: types.int32}
_NAMES = {np.float16: "fp16", np.float32: "fp32"}

Dtype = type[np.floating[Any]]
Inputs = dict[str, tuple[tuple[int, ...], type[np.generic]]]


class FunctionBuilder:
    """Makes the functions of one checkpoint.

    Args:
        parameters: As the target holds them.
        dimensions: The model's shape.
        generation: Names the alignment heads.
        target: The oldest system that has to read them.
    """

    def __init__(
        self,
        parameters: Parameters,
        dimensions: ModelDimensions,
        generation: GenerationSettings,
        target: Any,  # noqa: ANN401 - coremltools is untyped
    ) -> None:
        self.parameters, self.dimensions = parameters, dimensions
        self.heads, self.target = generation.alignment_heads, target

    def encoder(self, n_positions: int, dtype: Dtype, output: str) -> Function:
        """An encoder for windows of one length.

        Args:
            n_positions: The length.
            dtype: What it computes in, takes and gives.
            output: "cross_cache" for the cross-attention's keys and values, see ``CoremlOps``, or
                "encoder_output_embeds" for what they are computed from, (1, d, 1, n_positions).
        """
        shape = (1, self.dimensions.n_mels, 1, FRAMES_PER_POSITION * n_positions)
        with self._function({"melspectrogram_features": (shape, dtype)}) as function:
            ops = self._ops(function, dtype)
            x = encode_audio(ops, function.inputs["melspectrogram_features"], self.dimensions)
            if output == "cross_cache":
                fill_cross_cache(ops, x, self.dimensions)
                x = ops.cross
            function.set_outputs([_named(x, output)])
        return function

    def whispercpp_encoder(self, dtype: Dtype) -> Function:
        """An encoder as whisper.cpp calls it: floats in and out, channels last."""
        d = self.dimensions
        shape = (1, d.n_mels, FRAMES_PER_POSITION * d.n_audio_ctx)
        with self._function({"logmel_data": (shape, np.float32)}) as function:
            mel = mb.expand_dims(x=function.inputs["logmel_data"], axes=[2])
            mel = mb.cast(x=mel, dtype=_NAMES[dtype])
            x = encode_audio(self._ops(function, dtype), mel, d)
            x = mb.transpose(x=mb.squeeze(x=x, axes=[2]), perm=[0, 2, 1])
            function.set_outputs([mb.cast(x=x, dtype="fp32", name="output")])
        return function

    def mel_spectrogram(self) -> Function:
        """WhisperKit's features: floats of sound in, halves out."""
        n_samples = self.dimensions.n_audio_ctx * FRAMES_PER_POSITION * HOP_LENGTH
        with self._function({"audio": ((n_samples,), np.float32)}) as function:
            mel = log_mel(function.inputs["audio"], self.dimensions.n_mels)
            named = mb.cast(x=mel, dtype="fp16", name="melspectrogram_features")
            function.set_outputs([named])
        return function

    def decoder(self, n_positions: int, dtype: Dtype, window: str) -> Function:
        """One step of one hypothesis.

        Args:
            n_positions: The window's length.
            dtype: What it computes in, takes and gives.
            window: What it takes of the encoder, by the name of the encoder's output. With
                "encoder_output_embeds" the alignment is WhisperKit's, the mean over the heads.
        """
        d = self.dimensions
        n_cached, n_state = d.n_text_layer * d.n_text_state, d.n_text_ctx
        n_window = 2 * n_cached if window == "cross_cache" else d.n_audio_state
        inputs: Inputs = {
            "input_ids": ((1,), np.int32),
            "cache_length": ((1,), np.int32),
            "key_cache": ((1, n_cached, 1, n_state), dtype),
            "value_cache": ((1, n_cached, 1, n_state), dtype),
            "kv_cache_update_mask": ((1, n_state), dtype),
            window: ((1, n_window, 1, n_positions), dtype),
            "decoder_key_padding_mask": ((1, n_state), dtype),
        }
        with self._function(inputs) as function:
            ops = self._ops(function, dtype)
            if window == "cross_cache":
                ops.cross = function.inputs[window]
            else:
                fill_cross_cache(ops, function.inputs[window], d)
            logits = mb.expand_dims(x=decode(ops, d, self.heads), axes=[1])
            alignment = _together(ops.alignment)
            if window != "cross_cache":
                mean = mb.reduce_mean(x=alignment, axes=[1], keep_dims=False)
                alignment = mb.squeeze(x=mean, axes=[1])
            outputs = {
                "logits": logits,
                "key_cache_updates": _together(ops.key_updates),
                "value_cache_updates": _together(ops.value_updates),
                "alignment_heads_weights": alignment,
            }
            function.set_outputs([_named(value, name) for name, value in outputs.items()])
        return function

    def _function(self, inputs: Inputs) -> Function:
        placeholders = {
            name: mb.placeholder(shape, dtype=_TYPES[dtype])
            for name, (shape, dtype) in inputs.items()
        }
        return Function(placeholders, opset_version=self.target)

    def _ops(self, function: Function, dtype: Dtype) -> CoremlOps:
        return CoremlOps(self.parameters, self.dimensions, dtype, function.inputs)


def _together(values: Sequence[Value]) -> Value:
    return mb.concat(values=list(values), axis=1) if len(values) > 1 else values[0]


def _named(value: Value, name: str) -> Value:
    """The same value under the name of an output."""
    return mb.identity(x=value, name=name)
