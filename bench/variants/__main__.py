"""Makes ``python bench/variants`` run."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])  # what all benchmarks share
    from variants.command import main

    main()
