"""What an artifact makes of labelled speech: words wrong, how surely, and beside which other."""
