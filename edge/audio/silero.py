"""Voice activity by Silero's model, run by ONNX Runtime.

Source: snakers4/silero-vad ``utils_vad.py`` for what the model is given.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import InferenceError, MissingDependencyError
from ..privacy import keep_private
from ..types import SAMPLE_RATE, FloatArray
from .activity import VoiceActivity

MODEL = Path(__file__).parent / "silero_vad" / "silero_vad_16k_op15.onnx"
N_CONTEXT = 64  # samples of the frame before that the model sees again
STATE_SHAPE = (2, 1, 128)  # output and cell of the recurrent layer


class SileroActivity(VoiceActivity):
    """See VoiceActivity. One thread.

    Raises:
        MissingDependencyError: ONNX Runtime is not installed.
        InferenceError: It cannot load the model, or run it.
    """

    n_frame = 512

    def __init__(self) -> None:
        keep_private()
        try:
            import onnxruntime as ort
        except ModuleNotFoundError as error:
            purpose = "telling speech from silence"
            raise MissingDependencyError("onnxruntime", "onnx", purpose) from error
        options = ort.SessionOptions()
        # So small a model gains nothing from threads, which would spin between frames.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors; the file has a few unused constants
        try:
            self._session = ort.InferenceSession(
                str(MODEL), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exceptions share no other base
            raise InferenceError(f"the voice activity model does not load: {error}") from error
        self._rate = np.array(SAMPLE_RATE, np.int64)
        self._sound = np.zeros((1, N_CONTEXT + self.n_frame), np.float32)
        self._state = np.zeros(STATE_SHAPE, np.float32)

    def probability(self, frame: FloatArray) -> float:
        """See VoiceActivity."""
        self._sound[0, :N_CONTEXT] = self._sound[0, -N_CONTEXT:]
        self._sound[0, N_CONTEXT:] = frame
        inputs = {"input": self._sound, "state": self._state, "sr": self._rate}
        try:
            probability, self._state = self._session.run(None, inputs)
        except Exception as error:
            raise InferenceError(f"voice activity detection failed: {error}") from error
        return float(probability[0, 0])

    def reset(self) -> None:
        """See VoiceActivity."""
        self._sound[:] = 0
        self._state = np.zeros(STATE_SHAPE, np.float32)
