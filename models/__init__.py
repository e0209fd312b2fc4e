"""What a Whisper is: its definition, its checkpoints, its quantization."""
