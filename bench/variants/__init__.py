"""The programs that live transcription and word times come from, beside ours; see ../README.md."""
