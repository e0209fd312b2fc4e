"""The tokenizer as OpenVINO models, which OpenVINO GenAI reads instead of ``tokenizer.json``."""

from __future__ import annotations

import json
from pathlib import Path

import openvino as ov

from ..models.checkpoint import Checkpoint
from ..models.vocabulary import END
from .openvino_genai import DETOKENIZER, TOKENIZER


def write(folder: Path, checkpoint: Checkpoint) -> None:
    """Write both directions.

    Args:
        folder: Where the models go.
        checkpoint: Whose tokenizer it is.
    """
    # Loaded here: openvino_tokenizers is needed for this layout alone.
    import openvino_tokenizers  # type: ignore[import-untyped]
    from openvino_tokenizers import tokenizer_pipeline as steps
    from openvino_tokenizers.utils import (  # type: ignore[import-untyped]
        change_inputs_type,
        change_outputs_type,
    )

    content = json.loads(checkpoint.tokenizer)
    for absent in ("continuing_subword_prefix", "end_of_word_suffix"):
        content["model"][absent] = content["model"].get(absent) or ""
    added = content["added_tokens"]
    ids = {token["content"]: token["id"] for token in added}
    # What transformers' Whisper tokenizer puts around a text that is encoded with special tokens.
    frame = [
        steps.AddToken(token=text, _token_id=ids[text])
        for text in ("<|startoftranscript|>", "<|notimestamps|>", END)
    ]
    pipeline = steps.TokenizerPipeline()
    pipeline.add_steps(
        [
            steps.SpecialTokensSplit(
                [steps.SpecialToken(t["content"], t["lstrip"], t["rstrip"]) for t in added]
            ),
            steps.RegexSplitStep.byte_level_splitter(),
            steps.BytesToCharsStep(),
            steps.BPETokenizationStep.from_hf_json(content),
        ]
    )
    pipeline.vocab = pipeline[-1].vocab
    pipeline.add_steps(
        [
            # The pipeline knows by it which of the segments is the text.
            steps.TruncationStep(checkpoint.dimensions.n_text_ctx - len(frame)),
            steps.CombineSegmentsStep([*frame[:-1], steps.Sequence(), frame[-1]]),
            steps.PaddingStep(token=END, _token_id=ids[END], pad_right=True),
            steps.VocabDecoderStep.from_hf_json(
                content,
                pipeline.vocab,
                added_tokens={id_: text for text, id_ in ids.items()},
                skip_tokens=[token["id"] for token in added if token["special"]],
                is_byte_level=True,
            ),
            steps.CharsToBytesStep(),
            steps.UTF8ValidateStep(steps.UTF8ReplaceMode.REPLACE),
        ]
    )
    encoder, decoder = pipeline.get_tokenizer_ov_subgraph(), pipeline.get_detokenizer_ov_subgraph()
    outputs = [encoder.output(name) for name in ("input_ids", "attention_mask")]
    encoder = ov.Model(outputs, encoder.get_sinks(), encoder.get_parameters(), "tokenizer")
    for model, file in (
        (change_outputs_type(encoder, ov.Type.i64), TOKENIZER),
        (change_inputs_type(decoder, ov.Type.i64), DETOKENIZER),
    ):
        # Without a version the pipeline takes it for one so old that special tokens always come.
        model.set_rt_info(openvino_tokenizers.__version__, "openvino_tokenizers_version")
        ov.save_model(model, folder / file)
