"""Each library's own calls, as its manual shows them, around one artifact of ours.

For ``stopwatch.py``: one hypothesis, one thread, and nothing of our runtimes but the program that
stands in for Core ML.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from whisperq_edge.edge.artifact import Artifact

Array = NDArray[Any]


class Engine(Protocol):
    """A library, called as its manual shows it, for one hypothesis."""

    def encode(self, mel: Array) -> None:
        """One window; mel is (n_mels, n_frames)."""

    def step(self, tokens: Array) -> Array:
        """The logits after these tokens, which are (1, n_tokens)."""


class OnnxRuntime:
    """onnxruntime: InferenceSession and IOBinding."""

    def __init__(self, artifact: Artifact, decoder: str) -> None:
        import onnxruntime as ort

        self._value = ort.OrtValue.ortvalue_from_numpy
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self._encoder, self._decoder = (
            ort.InferenceSession(artifact.path(part), options, providers=["CPUExecutionProvider"])
            for part in ("encoder", decoder)
        )
        d = artifact.manifest.dimensions
        shape = (1, d.n_text_head, d.n_text_ctx, d.n_text_state // d.n_text_head)
        names = [f"{t}_{layer}" for layer in range(d.n_text_layer) for t in "kv"]
        self._cross = [f"cross_{name}" for name in names]
        self._cache = {name: self._value(np.zeros(shape, np.float32)) for name in names}
        self._kept = [value.numpy() for value in self._cache.values()]

    def encode(self, mel: Array) -> None:
        """One window."""
        binding = self._encoder.io_binding()
        binding.bind_cpu_input("mel", np.ascontiguousarray(mel[None]))
        for name in self._cross:
            binding.bind_output(name, "cpu")
        self._encoder.run_with_iobinding(binding)
        self._binding, self._n_past = self._decoder.io_binding(), 0
        for name, value in zip(self._cross, binding.get_outputs(), strict=True):
            self._binding.bind_ortvalue_input(name, value)
        for name, value in self._cache.items():
            self._binding.bind_ortvalue_input(f"self_{name}", value)
            self._binding.bind_ortvalue_output(f"present_{name}", value)

    def step(self, tokens: Array) -> Array:
        """One step, in the cache's own memory."""
        for name in ("logits", "alignment"):  # as long as the step: bound anew each time
            self._binding.bind_output(name, "cpu")
        self._binding.bind_cpu_input("tokens", tokens)
        self._binding.bind_cpu_input("past", np.array([self._n_past]))
        self._decoder.run_with_iobinding(self._binding)
        self._n_past += tokens.shape[1]
        logits: Array = self._binding.get_outputs()[len(self._cache)].numpy()
        return logits


class Openvino:
    """openvino: compiled models and their requests."""

    def __init__(self, artifact: Artifact, decoder: str) -> None:
        import openvino as ov

        self._tensor = lambda array: ov.Tensor(array, shared_memory=True)
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": 1,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,
            "INFERENCE_PRECISION_HINT": "f32",
            "KV_CACHE_PRECISION": "f32",
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": 128,
        }
        core = ov.Core()
        self._encoder, self._decoder = (
            core.compile_model(artifact.path(part), "CPU", settings).create_infer_request()
            for part in ("encoder", decoder)
        )
        self._layers = artifact.manifest.dimensions.n_text_layer

    def encode(self, mel: Array) -> None:
        """One window."""
        self._encoder.infer({"input_features": np.ascontiguousarray(mel[None])})
        self._cross = self._encoder.get_tensor("cross").data
        for layer in range(self._layers):
            for number, t in enumerate("kv"):
                part = self._cross[2 * layer + number][None]
                self._decoder.set_tensor(f"cross_{t}_{layer}", self._tensor(part))
        self._decoder.reset_state()
        self._n_past = 0

    def step(self, tokens: Array) -> Array:
        """One step; the cache is the model's state."""
        n = tokens.shape[1]
        given = {
            "input_ids": np.ascontiguousarray(tokens),
            "cache_position": np.arange(self._n_past, self._n_past + n),
            "beam_idx": np.zeros(1, np.int32),
        }
        for name, array in given.items():
            self._decoder.set_tensor(name, self._tensor(array))
        self._decoder.infer()
        self._n_past += n
        logits: Array = self._decoder.get_tensor("logits").data
        return logits


class Tflite:
    """ai-edge-litert: one interpreter, and a runner for the encoder's signature."""

    def __init__(self, artifact: Artifact, decoder: str) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._of = Interpreter(str(artifact.path(decoder)), num_threads=1)
        spec = artifact.manifest.graphs[decoder]
        self._inputs = {each["name"]: each["index"] for each in self._of.get_input_details()}
        outputs = zip(spec.outputs, self._of.get_output_details(), strict=True)
        self._outputs = {output.name: detail["index"] for output, detail in outputs}
        self._d = artifact.manifest.dimensions
        self._shape: tuple[int, ...] = ()
        self._allocate(2)

    def _allocate(self, n_positions: int) -> None:
        d = self._d
        head = d.n_text_state // d.n_text_head
        shape = (1, d.n_text_head, n_positions, head)
        if shape == self._shape:
            return
        self._shape = shape
        for name, index in self._inputs.items():
            if name.startswith("cross_"):
                self._of.resize_tensor_input(index, shape)
            elif name.startswith("self_"):
                self._of.resize_tensor_input(index, (1, d.n_text_head, d.n_text_ctx, head))
        self._of.resize_tensor_input(self._inputs["tokens"], (1,))
        self._of.allocate_tensors()
        for name, index in self._inputs.items():
            if name.startswith("self_"):
                self._of.tensor(index)()[:] = 0

    def encode(self, mel: Array) -> None:
        """One window."""
        runner = self._of.get_signature_runner("encoder")
        n_positions = mel.shape[1] // 2
        found = runner(
            mel=np.ascontiguousarray(mel[None]), positions=np.arange(n_positions, dtype=np.int32)
        )
        cross = found["cross"].reshape(
            2 * self._d.n_text_layer, self._d.n_text_head, n_positions, -1
        )
        del runner
        self._allocate(n_positions)
        for layer in range(self._d.n_text_layer):
            for number, t in enumerate("kv"):
                index = self._inputs[f"cross_{t}_{layer}"]
                self._of.tensor(index)()[:] = cross[2 * layer + number]
        self._of.tensor(self._inputs["mask"])()[:] = -1e9
        self._n_past = 0

    def step(self, tokens: Array) -> Array:
        """One token after the other; the new rows of the cache are copied into it."""
        for token in tokens[0]:
            self._of.tensor(self._inputs["mask"])()[:, :, self._n_past - 1 : self._n_past] = 0
            self._of.tensor(self._inputs["tokens"])()[:] = token
            self._of.tensor(self._inputs["position"])()[:] = self._n_past
            self._of.invoke()
            for layer in range(self._d.n_text_layer):
                for t in "kv":
                    cache = self._of.tensor(self._inputs[f"self_{t}_{layer}"])
                    row = self._of.tensor(self._outputs[f"new_{t}_{layer}"])
                    # A view must not outlive its line: the interpreter refuses to run.
                    cache()[:, :, self._n_past] = row()[:, :, 0]
            self._n_past += 1
        return self._of.get_tensor(self._outputs["logits"])


class CoremlReference:
    """The stand-in: the package's program, executed in NumPy."""

    def __init__(self, artifact: Artifact, decoder: str) -> None:
        from whisperq_edge.runtimes.coreml_program import ProgramPackage

        # One window, so that there is one function.
        self._encoder, self._decoder = (
            ProgramPackage(artifact.path(part).parent).program() for part in ("encoder", decoder)
        )
        graphs, self._d = artifact.manifest.graphs, artifact.manifest.dimensions
        self._input, self._window = (
            graphs["encoder"].inputs[0].name,
            graphs["encoder"].outputs[0].name,
        )

    def encode(self, mel: Array) -> None:
        """One window."""
        found = self._encoder.predict({self._input: np.ascontiguousarray(mel[None, :, None])})
        self._cross = found[self._window]
        shape = (1, self._d.n_text_layer * self._d.n_text_state, 1, self._d.n_text_ctx)
        self._keys, self._values = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        self._n_past = 0

    def step(self, tokens: Array) -> Array:
        """One token after the other."""
        places = np.arange(self._d.n_text_ctx)[None]
        for token in tokens[0]:
            found = self._decoder.predict(
                {
                    "input_ids": np.array([token], np.int32),
                    "cache_length": np.array([self._n_past], np.int32),
                    "key_cache": self._keys,
                    "value_cache": self._values,
                    "kv_cache_update_mask": (places == self._n_past).astype(np.float32),
                    "decoder_key_padding_mask": np.where(places <= self._n_past, 0, -1e4).astype(
                        np.float32
                    ),
                    self._window: self._cross,
                }
            )
            self._keys[..., self._n_past] = found["key_cache_updates"][..., 0]
            self._values[..., self._n_past] = found["value_cache_updates"][..., 0]
            self._n_past += 1
        return found["logits"]


ENGINES: dict[str, Callable[[Artifact, str], Engine]] = {
    "onnx": OnnxRuntime,
    "openvino": Openvino,
    "tflite": Tflite,
    "coreml": CoremlReference,
}
