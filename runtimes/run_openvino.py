"""OpenVINO."""

from __future__ import annotations

from ..edge.artifact import Artifact
from ..edge.errors import MissingDependencyError
from ..edge.types import Session
from .openvino_cache import cache_folder
from .runtime import Runtime, SessionOptions

try:
    from .openvino_device import Device, group_of, is_quantized
    from .openvino_foreign import HubSession
    from .openvino_genai import GenaiSession
    from .openvino_session import OpenvinoSession
except ModuleNotFoundError as error:
    raise MissingDependencyError("openvino", "openvino", "running OpenVINO artifacts") from error


class OpenvinoRuntime(Runtime):
    """See Runtime.

    The NPU takes fixed shapes and no state: it encodes whole windows, and the CPU decodes.
    """

    target = "openvino"
    chooses_device = True

    def open(self, artifact: Artifact, options: SessionOptions) -> Session:
        """See Runtime."""
        manifest = artifact.manifest
        group = group_of(manifest)
        encoder = Device(options.device, options.threads, group)
        decoder = Device("CPU", options.threads, group) if encoder.static else encoder
        for device in {encoder, decoder}:
            # Of float weights the CPU would keep a copy as large as the model, and gain little.
            if is_quantized(manifest) or device.name != "CPU":
                device.keep(cache_folder(artifact.folder))
        kind = GenaiSession if manifest.layout == "genai" else OpenvinoSession
        if manifest.adopted is not None:
            kind = HubSession
        return kind(artifact, encoder, decoder, options.threads)
