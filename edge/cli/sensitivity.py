"""``whisperq-edge sensitivity``: what every matrix costs in every precision, and the best mix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from ..errors import ConfigError
from .export_index import data_folder
from .labelled_speech import labelled_speech
from .precision import parse_precision, pick_rounding
from .screen import Screen
from .sensitivity_table import print_curve, print_mix, print_sensitivity

if TYPE_CHECKING:
    from ..evaluation.mix_limit import MixLimit
    from ..evaluation.mix_search import Tried

BUNDLED = "demo"


def sensitivity(
    ctx: typer.Context,
    checkpoint: Annotated[
        str, typer.Argument(help="As --model of export takes it; the bundled model by default.")
    ] = BUNDLED,
    target: Annotated[str, typer.Option(help="Whose precisions come into question.")] = "onnx",
    layout: Annotated[str, typer.Option(help="A layout of the target.")] = "native",
    precisions: Annotated[
        str | None,
        typer.Option(
            help="Others, such as int4:32,int4:64,int8,fp16; by default one of each kind."
        ),
    ] = None,
    rounding: Annotated[
        str, typer.Option(help="How int4 is rounded: nearest, or gptq by calibration recordings.")
    ] = "nearest",
    calibration: Annotated[
        str | None, typer.Option(help="Speech that gptq listens to, instead of the bundled.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Speech to judge by, instead of the bundled: a set.")
    ] = None,
    recordings: Annotated[
        int | None, typer.Option(min=1, help="Judge by so many; by default as the size allows.")
    ] = None,
    max_wer: Annotated[
        float | None, typer.Option(help="Find the smallest mix of this word error rate: 0.08.")
    ] = None,
    wer_increase: Annotated[
        float | None, typer.Option(help="Or of so much more than in floats: 0.01.")
    ] = None,
    max_loss: Annotated[
        float | None, typer.Option(help="Or of this divergence from floats, in nats: 0.002.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the mix as a recipe, for export --recipe."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the heat map: a file .svg or .png.")
    ] = None,
    revision: Annotated[
        str | None, typer.Option(help="Branch, tag or commit on the Hugging Face hub.")
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Use what is on the disk; ask no server.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Measure what each matrix loses in each precision, and find the smallest mix for a limit.

    What is measured is kept: the same command goes on where it was interrupted.
    """
    from ...models.checkpoint import load_checkpoint
    from ..evaluation.lab import Lab
    from ..evaluation.mix_search import chosen
    from ..evaluation.recipe_file import CheckpointMark, write_recipe_file

    screen: Screen = ctx.obj
    limit = _limit(max_wer, wer_increase, max_loss)
    how = pick_rounding(rounding)
    if calibration and how == "nearest":
        raise ConfigError("--calibration is what --rounding gptq listens to; give both")
    if plot:
        from ..reports.heat_map import check_format, save_heat_map

        check_format(plot)
    names = _precisions(target, layout, precisions)
    with screen.progress() as progress:
        loaded = load_checkpoint(checkpoint, revision=revision, offline=offline, progress=progress)
        lab = Lab.opened(
            loaded,
            data_folder() / "sensitivity",
            rounding=how,
            calibration=labelled_speech(calibration) if calibration else (),
            data=labelled_speech(data, recordings) if data else (),
            n=recordings,
            progress=progress,
        )
        with lab:
            found = lab.sensitivity(names, progress)
            tried: Sequence[Tried] = ()
            if limit.is_given or output:
                tried = lab.search(found, limit.passes(lab.wer_reference), progress)
    points = sorted({one.point for one in tried}, key=lambda point: point.n_bytes)
    screen.detail(f"measurements are kept in {lab.journal.path}")
    if plot:
        save_heat_map(plot, found.losses, f"{loaded.name}: divergence by one matrix ({how})")
    if not as_json:
        print_sensitivity(screen, list(found.losses), found)
        print_curve(screen, points, lab.wer_reference, len(lab.heard))
    recipe = lab.recipe_file(chosen(tried, str(limit)), str(limit)) if tried else None
    if recipe and not as_json:
        print_mix(screen, recipe)
    if output and recipe:
        write_recipe_file(output, recipe)
        screen.note(f"export it: whisperq-edge export --recipe {output}")
    if as_json:
        record = {
            "checkpoint": CheckpointMark(loaded.name, loaded.digest),
            "rounding": how,
            "recordings": len(lab.heard),
            "wer_reference": lab.wer_reference,
            "losses": found.losses,
            "bytes": found.n_bytes,
            "curve": [
                {
                    "bytes": point.n_bytes,
                    "divergence": point.divergence,
                    "token_agreement": point.token_agreement,
                    "wer": point.wer,
                    "kept": point.passed,
                }
                for point in points
            ],
            "recipe": recipe,
        }
        typer.echo(msgspec.json.encode(record).decode())


def _limit(max_wer: float | None, wer_increase: float | None, max_loss: float | None) -> MixLimit:
    """The one limit.

    Raises:
        ConfigError: There are several, or one is below zero.
    """
    from ..evaluation.mix_limit import MixLimit

    given = {"--max-wer": max_wer, "--wer-increase": wer_increase, "--max-loss": max_loss}
    named = {name: value for name, value in given.items() if value is not None}
    if len(named) > 1:
        raise ConfigError(f"{' and '.join(named)} exclude each other; give one limit")
    if wrong := [name for name, value in named.items() if not value >= 0]:
        raise ConfigError(f"{wrong[0]} must not be below 0")
    return MixLimit(max_wer, wer_increase, max_loss)


def _precisions(target: str, layout: str, wanted: str | None) -> tuple[str, ...]:
    """What comes into question, coarsest first.

    Raises:
        ConfigError: The target has no such precision, or no choice.
    """
    from ...exporters import check_offer
    from ...exporters.targets import written
    from ...models.quantize import Recipe
    from ..evaluation.mixture import Ladder

    ladder = Ladder.for_target(target, layout)
    if wanted is None:
        return tuple(written(rung) for rung in ladder.rungs)
    chosen = [parse_precision(text.strip()) for text in wanted.split(",")]
    for precision in chosen:
        check_offer(target, layout, Recipe(precision, precision, precision))
    return tuple(dict.fromkeys(map(written, chosen)))
