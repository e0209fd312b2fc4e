"""Live transcription: sound goes in as it arrives, events come out."""
