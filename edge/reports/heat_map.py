"""What every matrix costs in every precision, as a picture: layers by operations."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ConfigError, MissingDependencyError, WhisperqError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable

FORMATS = (".svg", ".png")
# Even for eyes that tell no red from green, and in grey.
COLOURS = "cividis"
FLOOR = 1e-9  # nats: float arithmetic alone, and what a logarithm can show
CELL_WIDTH, CELL_HEIGHT, MARGIN = 0.62, 0.3, 1.5  # inches
OPERATIONS = (
    "conv1",
    "conv2",
    "qkv",
    "out",
    "cross_q",
    "cross_out",
    "fc1",
    "fc2",
    "cross_kv",
    "embedding",
)


def save_heat_map(path: Path, losses: Mapping[str, Mapping[str, float]], title: str) -> None:
    """Draw one panel a precision; rows are layers, columns operations, colours logarithms.

    Args:
        path: ``.svg`` or ``.png``, written whole or not at all.
        losses: Divergence in nats, by matrix ("encoder.0.fc1"), then by precision.
        title: Above the panels.

    Raises:
        ConfigError: It has another ending.
        MissingDependencyError: matplotlib is not installed.
        WhisperqError: The system refuses.
    """
    check_format(path)
    import matplotlib
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

    precisions = list(next(iter(losses.values())))
    rows = list(dict.fromkeys(layer_of(name) for name in losses))
    columns = [
        operation
        for operation in OPERATIONS
        if any(operation_of(name) == operation for name in losses)
    ]
    values = [max(loss, FLOOR) for row in losses.values() for loss in row.values()]
    scale = LogNorm(min(values), max(max(values), 1.01 * min(values)))
    colours = ScalarMappable(scale, COLOURS)
    panel_width = CELL_WIDTH * len(columns) + MARGIN
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({"svg.fonttype": "none", "font.size": 8.0})
        figure = Figure(
            figsize=(panel_width * len(precisions), CELL_HEIGHT * len(rows) + 2 * MARGIN),
            layout="constrained",
        )
        panels = figure.subplots(1, len(precisions), squeeze=False, sharey=True)[0]
        for axes, precision in zip(panels, precisions, strict=True):
            cells = {name: row[precision] for name, row in losses.items()}
            _panel(axes, precision, cells, rows, columns, colours)
        figure.colorbar(colours, ax=list(panels), label="divergence, nats", pad=0.01)
        figure.suptitle(title)
        temporary = path.with_name(f".{path.name}.tmp")
        form = path.suffix.lower().removeprefix(".")
        # No date: the same figures give the same file.
        metadata = {"Date": None} if form == "svg" else {}
        try:
            with matplotlib.rc_context({"svg.hashsalt": "heat map"}):
                figure.savefig(temporary, format=form, dpi=150, metadata=metadata)
            temporary.replace(path)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink()
            raise WhisperqError(f"cannot write {path}: {error.strerror}") from error


def check_format(path: Path) -> None:
    """Refuse a file that could not be drawn, before anything is measured for it.

    Raises:
        ConfigError: It has another ending.
        MissingDependencyError: matplotlib is not installed.
    """
    if path.suffix.lower() not in FORMATS:
        raise ConfigError(f"a heat map is {' or '.join(FORMATS)}, not '{path.name}'")
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError:
        raise MissingDependencyError("matplotlib", "report", "a heat map") from None


def layer_of(name: str) -> str:
    """The row of a matrix: "encoder 0", or "encoder" of what belongs to no layer."""
    return name.rpartition(".")[0].replace(".", " ")


def operation_of(name: str) -> str:
    """The column of a matrix: "fc1"."""
    return name.rpartition(".")[2]


def _panel(
    axes: Axes,
    precision: str,
    cells: Mapping[str, float],
    rows: list[str],
    columns: list[str],
    colours: ScalarMappable,
) -> None:
    from matplotlib.patches import Rectangle

    for name, loss in cells.items():
        x, y = columns.index(operation_of(name)), rows.index(layer_of(name))
        red, green, blue, _ = colours.to_rgba(np.array([max(loss, FLOOR)]))[0]
        box = Rectangle((x - 0.5, y - 0.5), 1, 1, color=(red, green, blue), linewidth=0)
        axes.add_patch(box)
        # Luminance by ITU-R BT.601, so that figures are readable on any colour.
        ink = "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"
        axes.text(x, y, f"{loss:.1e}", ha="center", va="center", color=ink, fontsize=7)
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xticks(range(len(columns)), columns, rotation=45, ha="right")
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title(precision)
