"""Live transcription beside faster-whisper under the same policy; see ../README.md."""
