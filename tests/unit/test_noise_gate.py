"""The gate before the detector: what it passes over, and what it may never miss."""

from __future__ import annotations

import numpy as np
import pytest

from whisperq_edge.edge.audio.activity import VoiceActivity
from whisperq_edge.edge.audio.noise_gate import NoiseGate
from whisperq_edge.edge.types import SAMPLE_RATE

from ..sounds import at_level, hum, noise, silence

N_FRAME = 512
STEADY = {
    "silence": silence(20),
    "white": noise("white", -40, 20),
    "pink": noise("pink", -60, 20),
    "brown": noise("brown", -20, 20),
    "hum": hum(-40, 20),
}


class Listener(VoiceActivity):
    """Keeps the frames it is asked about; ``answer`` is what it says."""

    n_frame = N_FRAME

    def __init__(self, answer=0.0):
        self.answer = answer
        self.frames = []
        self.n_resets = 0

    def probability(self, frame):
        self.frames.append(frame.copy())
        return self.answer

    def reset(self):
        self.n_resets += 1


def frames(sound):
    return sound[: len(sound) // N_FRAME * N_FRAME].reshape(-1, N_FRAME)


def hear(gate, sound):
    return [gate.probability(frame) for frame in frames(sound)]


@pytest.mark.parametrize("name", STEADY)
def test_what_is_steady_is_passed_over_after_a_second(name):
    listener = Listener()
    hear(NoiseGate(listener), STEADY[name])
    assert SAMPLE_RATE / N_FRAME <= len(listener.frames) < 0.2 * 20 * SAMPLE_RATE / N_FRAME


@pytest.mark.parametrize("name", STEADY)
def test_what_stands_out_is_heard_at_once_with_what_came_before(name):
    listener = Listener()
    gate = NoiseGate(listener)
    before = STEADY[name][: 3 * SAMPLE_RATE]
    hear(gate, before)
    n_before = len(listener.frames)
    listener.answer = 0.9
    louder = frames(noise("white", -15, 0.1))[0]
    assert gate.probability(louder) == 0.9
    heard = np.concatenate(listener.frames[n_before:])
    whole = np.concatenate([np.concatenate(frames(before)), louder])
    np.testing.assert_array_equal(heard, whole[-len(heard) :])
    assert len(heard) == 9 * N_FRAME


def test_a_steady_voice_is_heard_as_long_as_it_lasts():
    listener = Listener(answer=0.3)
    sound = STEADY["hum"]
    assert hear(NoiseGate(listener), sound) == [0.3] * len(frames(sound))


def test_loud_sound_hides_nothing_that_follows_it():
    """The noise of a moment ago is forgotten, not what a quiet voice has to stand out from."""
    loud, quiet = noise("white", -15, 5), noise("white", -60, 3)
    voice = noise("white", -45, 0.5, seed=1)
    listener = Listener()
    gate = NoiseGate(listener)
    hear(gate, np.concatenate([loud, quiet]))
    n_before = len(listener.frames)
    hear(gate, voice)
    assert len(listener.frames) - n_before >= len(frames(voice))


def test_the_callers_memory_may_change():
    listener = Listener()
    gate = NoiseGate(listener)
    frame = np.empty(N_FRAME, np.float32)
    for part in frames(silence(3)):
        frame[:] = part
        gate.probability(frame)
    frame[:] = 0.5 * noise("white", -10, 0.1)[:N_FRAME]
    gate.probability(frame)
    assert not np.concatenate(listener.frames[-9:-1]).any()


def test_reset_forgets_everything():
    listener = Listener()
    gate = NoiseGate(listener)
    hear(gate, STEADY["white"][: 3 * SAMPLE_RATE])
    gate.reset()
    n_before = len(listener.frames)
    hear(gate, at_level(STEADY["white"], -20)[: SAMPLE_RATE // 2])
    assert len(listener.frames) - n_before == SAMPLE_RATE // 2 // N_FRAME
    assert listener.n_resets == 1
