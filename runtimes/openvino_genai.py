"""A session of the folder that OpenVINO GenAI loads: the decoder makes the window's keys itself."""

from __future__ import annotations

import numpy as np

from ..edge.types import FloatArray
from .openvino_session import OpenvinoSession, translated


class GenaiSession(OpenvinoSession):
    """See Session.

    The cross-attention's keys and values are states too, made in the first step of a window.
    """

    def _take_window(self) -> None:
        hidden = self._encoder.get_tensor("last_hidden_state")
        self._decoder.set_tensor("encoder_hidden_states", hidden)

    def _split_alignment(self, alignment: FloatArray) -> FloatArray:
        return alignment

    def _window(self) -> FloatArray:
        if not self._tokens.size:
            self.step(np.zeros((len(self._sources), 1), np.int64))
            self.rewind(0)
            self._tokens = np.empty((0, 0), np.int64)
        with translated("decoder"):
            states = {state.name: state.state.data for state in self._decoder.query_state()}
        layers = range(self.dimensions.n_text_layer)
        return np.stack([states[f"cross_{t}_{layer}"][0] for layer in layers for t in "kv"])
