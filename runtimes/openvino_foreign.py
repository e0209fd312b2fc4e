"""A session of the folders on OpenVINO's hub, which optimum-intel wrote."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import openvino as ov

from ..edge.artifact import Artifact
from ..edge.errors import ArtifactError, InferenceError
from ..edge.types import FloatArray, IntArray
from .openvino_device import Device
from .openvino_genai import GenaiSession
from .openvino_session import translated

INPUTS = {"input_ids", "encoder_hidden_states", "beam_idx", "cache_position"}
TEXT_STATE = ".decoder."  # in the name of a state with keys or values of the text
ATTENTION, STATE = "ScaledDotProductAttention", "ReadValue"
KEYS, VALUES = 1, 2  # where an attention takes them


class HubSession(GenaiSession):
    """See Session.

    The decoder gives logits of every token, and no attention. Whole windows only.
    """

    def __init__(self, artifact: Artifact, encoder: Device, decoder: Device, threads: int) -> None:
        path = artifact.path("decoder")
        model = ov.Core().read_model(path)
        names = {name for port in model.inputs for name in port.get_names()}
        if unknown := names - INPUTS:
            raise ArtifactError(f"{path}: nothing is known of input {min(unknown)}")
        self._has_positions = "cache_position" in names
        self._window_states = list(_window_states(model))
        if len(self._window_states) != 2 * artifact.manifest.dimensions.n_text_layer:
            raise ArtifactError(f"{path}: its cross-attention keeps no state")
        super().__init__(artifact, encoder, decoder, threads)

    def step(self, tokens: IntArray) -> FloatArray:
        """See Session."""
        if self._has_window and tokens.ndim == 2 and len(tokens) == len(self._sources):
            self._repeat_window(len(tokens))
        return super().step(tokens)[:, -self.dimensions.n_vocab :]

    def _repeat_window(self, n: int) -> None:
        """Let each hypothesis have the window: their attention has no other way to share it."""
        with translated("decoder"):
            if not self._tokens.size:
                hidden = self._encoder.get_tensor("last_hidden_state").data
                repeated = ov.Tensor(hidden.repeat(n, axis=0))
                self._decoder.set_tensor("encoder_hidden_states", repeated)
                return
            for state in self._states(self._window_states):
                if len(kept := state.state.data) != n:
                    state.state = ov.Tensor(kept[:1].repeat(n, axis=0))

    def _bind(self, shape: tuple[int, ...]) -> None:
        self._tokens, self._positions = np.empty(shape, np.int64), np.empty(shape[1], np.int64)
        shared = {"input_ids": self._tokens}
        if self._has_positions:
            shared["cache_position"] = self._positions
        for name, array in shared.items():
            self._decoder.set_tensor(name, ov.Tensor(array, shared_memory=True))

    def _states(self, names: list[str]) -> list[Any]:
        by_name = {state.name: state for state in self._decoder.query_state()}
        return [by_name[name] for name in names]

    def _self_states(self) -> list[Any]:
        return [state for state in self._decoder.query_state() if TEXT_STATE in state.name]

    @property
    def alignment(self) -> FloatArray:
        """See Session."""
        raise InferenceError(
            "this graph has no cross-attention among its outputs, which words are timed by"
        )

    def _window(self) -> FloatArray:
        if not self._tokens.size:
            self.step(np.zeros((len(self._sources), 1), np.int64))
            self.rewind(0)
        with translated("decoder"):
            return np.stack([state.state.data[0] for state in self._states(self._window_states)])


def _window_states(model: Any) -> Iterator[str]:  # noqa: ANN401 - an openvino.Model
    """The states with the window's keys and values, by layer and in turn.

    Their names are numbers, but only the cross-attention reads states as they are.
    """
    for node in model.get_ordered_ops():
        if node.get_type_name() != ATTENTION:
            continue
        sources = [node.input_value(i).get_node() for i in (KEYS, VALUES)]
        if all(source.get_type_name() == STATE for source in sources):
            yield from (source.get_variable_id() for source in sources)
