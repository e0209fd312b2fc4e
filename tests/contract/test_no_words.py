"""Ten minutes in which nobody speaks yield no words, through the whole streamer."""

from __future__ import annotations

import pytest

from whisperq_edge.edge.artifact import TOKENIZER
from whisperq_edge.edge.decoding.tokens import Tokenizer
from whisperq_edge.edge.streaming.options import StreamingOptions
from whisperq_edge.edge.streaming.streamer import Streamer
from whisperq_edge.edge.types import SAMPLE_RATE
from whisperq_edge.runtimes import open_session

from ..sounds import clicks, hum, music, noise, silence

MINUTES = 10
SOUNDS = {
    "silence": silence,
    "white noise": lambda seconds: noise("white", -40, seconds),
    "pink noise": lambda seconds: noise("pink", -30, seconds),
    "loud brown noise": lambda seconds: noise("brown", -15, seconds),
    "hum": lambda seconds: hum(-30, seconds),
    "clicks": lambda seconds: clicks(-3, seconds),
    "music": music,
    "soft music": lambda seconds: music(seconds, -40, seed=1),
}
BLOCK = SAMPLE_RATE // 10


@pytest.fixture(scope="module")
def session(artifact):
    with open_session(artifact, threads=1) as opened:
        yield opened


def stream(artifact, session, sound, **options):
    generation = artifact.manifest.generation
    tokenizer = Tokenizer.read(artifact.folder / TOKENIZER, generation)
    one = Streamer(session, tokenizer, generation, StreamingOptions(**options))
    events = [
        event
        for start in range(0, len(sound), BLOCK)
        for event in one.feed(sound[start : start + BLOCK])
    ]
    return one, events + one.finish()


@pytest.mark.parametrize("name", SOUNDS)
def test_nobody_says_nothing(artifact, session, name):
    one, events = stream(artifact, session, SOUNDS[name](60 * MINUTES))
    assert not events, f"{one.counts.encoded_s:.1f} s were decoded"
    assert one.counts.encoded_s == 0
