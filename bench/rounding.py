"""What rounding int4 by recordings is worth, on speech that nobody listened to.

    python bench/rounding.py bench/.work/held-out --limit 100

Prints a Markdown table: divergence from the checkpoint in floats, the share of tokens that stay the
same, and word errors, all computed by the NumPy reference. The head is int8 throughout. The set is
any that ``whisperq-edge evaluate`` reads; bench/held_out.py writes that of the bundled model.
"""

from __future__ import annotations

import argparse

from whisperq_edge.edge.cli.labelled_speech import labelled_speech
from whisperq_edge.edge.decoding.tokens import Tokenizer
from whisperq_edge.edge.evaluation.calibration import calibrated_rounding
from whisperq_edge.edge.evaluation.listening import Listener
from whisperq_edge.edge.evaluation.mixed import Judge
from whisperq_edge.edge.types import AudioContexts
from whisperq_edge.models.checkpoint import load_checkpoint
from whisperq_edge.models.parameters import prepare, to_nearest
from whisperq_edge.models.quantize import BLOCKS, Recipe


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("set", help="labelled speech")
    parser.add_argument("--model", default="demo", help="a checkpoint")
    parser.add_argument("--limit", type=int, default=100, help="recordings, of many speakers")
    options = parser.parse_args()
    checkpoint = load_checkpoint(options.model)
    listener = Listener(
        checkpoint.dimensions,
        checkpoint.generation,
        Tokenizer(checkpoint.tokenizer, checkpoint.generation),
    )
    contexts = AudioContexts(checkpoint.dimensions.n_audio_ctx)
    speech = labelled_speech(options.set, options.limit)
    heard = listener.listen(prepare(checkpoint, Recipe.of("fp32")), speech, contexts)
    by_recordings = calibrated_rounding(checkpoint)
    forms = [("fp32", Recipe.of("fp32"), to_nearest), ("int8", Recipe.of("int8"), to_nearest)]
    for block in BLOCKS:
        recipe = Recipe.of("int4", block)
        forms.append((f"int4:{block}, nearest", recipe, to_nearest))
        forms.append((f"int4:{block}, gptq", recipe, by_recordings))
    print("| | divergence, nats | same tokens | word errors |\n|---|---|---|---|")
    for name, recipe, rounder in forms:
        point = Judge(checkpoint, heard, rounder).point(recipe, 0)
        print(
            f"| {name} | {point.divergence:.5f} | {point.token_agreement:.2%} | {point.wer:.2%} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
