"""What a checkpoint publishes about decoding, and what holds where it publishes nothing."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from tokenizers import Tokenizer

from ..edge.errors import CheckpointError
from ..edge.types import GenerationSettings, ModelDimensions
from .registry import alignment_heads_like
from .vocabulary import END, non_speech_tokens

SECONDS_PER_TIMESTAMP = 0.02
_START, _TRANSLATE = "<|startoftranscript|>", "<|translate|>"
# They steer a prompt and are never an answer, whatever a checkpoint says.
_STEERING = (
    _START,
    _TRANSLATE,
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
)


class PublishedGeneration(msgspec.Struct, frozen=True):
    """The fields of ``generation_config.json`` that are read; None where one is not published.

    Checkpoints from before that file have some of them in ``config.json``.
    """

    is_multilingual: bool | None = None
    lang_to_id: dict[str, int] | None = None
    suppress_tokens: tuple[int, ...] | None = None
    begin_suppress_tokens: tuple[int, ...] | None = None
    alignment_heads: tuple[tuple[int, int], ...] | None = None
    max_initial_timestamp_index: int | None = None

    def or_else(self, other: PublishedGeneration) -> PublishedGeneration:
        """These fields, and those of ``other`` where there is none."""
        fields = {
            name: getattr(other, name) if getattr(self, name) is None else getattr(self, name)
            for name in self.__struct_fields__
        }
        return PublishedGeneration(**fields)


def generation_settings(
    dimensions: ModelDimensions, tokenizer: bytes, published: PublishedGeneration
) -> GenerationSettings:
    """Complete what was published.

    Absent languages and suppressed tokens come from the tokenizer, as in openai/whisper; absent
    alignment heads from the official model of this shape, else all of the upper half of the layers.

    Args:
        dimensions: The model's shape.
        tokenizer: Its complete ``tokenizer.json``.
        published: What the checkpoint says.

    Raises:
        CheckpointError: The two disagree, or the tokenizer is not Whisper's.
    """
    try:
        tokens = Tokenizer.from_str(tokenizer.decode())
    except Exception as error:  # the library raises nothing narrower
        raise CheckpointError(f"tokenizer.json is not a tokenizer: {error}") from error
    suppressed = published.suppress_tokens
    if suppressed is None:
        suppressed = non_speech_tokens(tokens)
    steering = [token for name in _STEERING if (token := tokens.token_to_id(name)) is not None]
    first = published.begin_suppress_tokens
    if first is None:
        blank: list[int] = tokens.encode(" ", add_special_tokens=False).ids
        first = (*blank, _id(tokens, END))
    settings = GenerationSettings(
        languages=_languages(tokens, published),
        suppress_tokens=_valid({*suppressed, *steering}, dimensions),
        begin_suppress_tokens=_valid(first, dimensions),
        alignment_heads=_alignment_heads(dimensions, published),
    )
    if (index := published.max_initial_timestamp_index) is None:
        return settings
    return msgspec.structs.replace(
        settings, max_initial_timestamp=round(index * SECONDS_PER_TIMESTAMP, 2)
    )


def _id(tokens: Tokenizer, name: str) -> int:
    found: int | None = tokens.token_to_id(name)
    if found is None:
        raise CheckpointError(f"the tokenizer has no {name}; it is not a Whisper's")
    return found


def _languages(tokens: Tokenizer, published: PublishedGeneration) -> tuple[str, ...]:
    start, translate = _id(tokens, _START), _id(tokens, _TRANSLATE)
    multilingual = published.is_multilingual
    if multilingual is None:
        # The multilingual vocabulary has one more text token than the English-only one.
        multilingual = bool(published.lang_to_id) or _id(tokens, END) > 50256
    if not multilingual:
        return ()
    if published.lang_to_id:
        names = sorted(published.lang_to_id, key=published.lang_to_id.__getitem__)
        for name in names:
            if tokens.token_to_id(name) != published.lang_to_id[name]:
                raise CheckpointError(
                    f"generation_config.json gives {name} the id {published.lang_to_id[name]}, "
                    f"tokenizer.json {tokens.token_to_id(name)}"
                )
    else:
        names = [tokens.id_to_token(token) or "" for token in range(start + 1, translate)]
    return tuple(name.removeprefix("<|").removesuffix("|>") for name in names)


def _valid(tokens: Iterable[int], dimensions: ModelDimensions) -> tuple[int, ...]:
    """Without ids that the model cannot emit: some fine-tunes list -1, or keep a larger list."""
    return tuple(sorted({token for token in tokens if 0 <= token < dimensions.n_vocab}))


def _alignment_heads(
    dimensions: ModelDimensions, published: PublishedGeneration
) -> tuple[tuple[int, int], ...]:
    n_layers, n_heads = dimensions.n_text_layer, dimensions.n_text_head
    heads = published.alignment_heads or ()
    # A distilled model often keeps its teacher's list, which names layers that it lacks.
    if not heads or any(not (0 <= a < n_layers and 0 <= b < n_heads) for a, b in heads):
        heads = alignment_heads_like(dimensions)
    upper_half = range(n_layers // 2, n_layers)
    heads = heads or tuple((layer, head) for layer in upper_half for head in range(n_heads))
    return tuple(sorted(heads))
