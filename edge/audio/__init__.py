"""From an audio file to the log-mel features that a Whisper encoder takes."""
