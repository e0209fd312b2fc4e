"""No library that this package loads may report on whoever uses it."""

from __future__ import annotations

import os
import sys


def keep_private() -> None:
    """Switch off the reports of libraries; to be called before any of them is imported."""
    # ONNX Runtime's wheels since 1.29 open a store under the user's home unless this is set.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    # OpenVINO reports its import to a server, and asks for leave nowhere that a program could
    # refuse it. Without the module that does so it goes on in silence.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
