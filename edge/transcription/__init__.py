"""Long recordings: windows, seek, and the file formats that a transcript is written in."""
