"""Whisper speech recognition on edge devices: export, run and measure quantized checkpoints."""

__version__ = "0.1.0"
