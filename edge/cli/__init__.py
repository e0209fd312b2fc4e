"""The command line, one small file for each command; loading it loads no array and no runtime."""

from .app import main

__all__ = ["main"]
