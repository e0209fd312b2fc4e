"""Judges artifacts: parity with the NumPy reference, and words."""
