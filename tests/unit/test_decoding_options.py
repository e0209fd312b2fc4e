"""Options that cannot work are refused with a line that says why."""

from __future__ import annotations

import pytest

from whisperq_edge.edge.decoding.options import DecodingOptions
from whisperq_edge.edge.errors import ConfigError
from whisperq_edge.edge.transcription.options import TranscriptionOptions


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": "translat"}, "unknown task 'translat'; did you mean 'translate'"),
        ({"temperature": ()}, "temperature: give one or more values from 0 to 1"),
        ({"temperature": (0.0, 1.2)}, "temperature: give one or more values from 0 to 1"),
        ({"temperature": (float("nan"),)}, "temperature: give one or more values from 0 to 1"),
        ({"best_of": 0}, "best_of must be 1 or more"),
        ({"beam_size": 0}, "beam_size must be 1 or more"),
        ({"best_of": 5, "temperature": (0.0,)}, "best_of needs a temperature above 0"),
        ({"beam_size": 5, "temperature": (0.2,)}, "beam_size needs temperature 0"),
        ({"patience": 2.0}, "patience needs beam_size"),
        ({"patience": 0.1, "beam_size": 2}, "patience 0.1 leaves no text"),
        ({"length_penalty": 1.1}, "length_penalty must be from 0 to 1"),
        ({"no_speech_threshold": 60}, "no_speech_threshold is a probability"),
        ({"seed": -1}, "seed must not be negative"),
    ],
)
def test_what_cannot_work_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        DecodingOptions(**options)
    with pytest.raises(ConfigError, match=message):
        TranscriptionOptions(**options)


def test_an_unknown_audio_context_is_refused():
    with pytest.raises(ConfigError, match="unknown audio context 'ful'; did you mean 'full'"):
        TranscriptionOptions(audio_context="ful")


def test_a_beam_and_best_of_share_the_temperatures():
    options = DecodingOptions(beam_size=5, best_of=5, patience=1.0)
    assert (options.temperature[0], options.temperature[-1]) == (0.0, 1.0)
