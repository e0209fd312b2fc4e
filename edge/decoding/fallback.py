"""Trying again at a higher temperature where a text is not good enough.

Source: Radford et al. 2022 (arXiv 2212.04356), section 4.5, and openai/whisper
``whisper/transcribe.py``.
"""

from __future__ import annotations

from .decoder import Decoder, Prompted
from .options import DecodingOptions
from .result import DecodingResult


def needs_fallback(result: DecodingResult, options: DecodingOptions) -> bool:
    """Whether a text repeats itself or is too unlikely, and is not just silence."""
    if result.looped:
        return True
    ratio_limit, logprob_limit = options.compression_ratio_threshold, options.logprob_threshold
    too_unlikely = logprob_limit is not None and result.avg_logprob < logprob_limit
    if too_unlikely and options.no_speech_threshold is not None:
        return result.no_speech_prob <= options.no_speech_threshold
    too_repetitive = ratio_limit is not None and result.compression_ratio > ratio_limit
    return too_unlikely or too_repetitive


def is_silence(result: DecodingResult, options: DecodingOptions) -> bool:
    """Whether a text is to be dropped because most likely nobody speaks."""
    if options.no_speech_threshold is None:
        return False
    if options.logprob_threshold is not None and result.avg_logprob > options.logprob_threshold:
        return False
    return result.no_speech_prob > options.no_speech_threshold


def decode_with_fallback(decoder: Decoder, prompted: Prompted) -> DecodingResult:
    """Decode at one temperature of the options after the other, until a text is good enough.

    The window stays encoded and the prompt stays fed. Returns the last attempt if none is good.
    """
    for temperature in decoder.options.temperature:
        result = decoder.decode(prompted, temperature)
        if not needs_fallback(result, decoder.options):
            break
    return result
