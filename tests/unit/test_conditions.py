"""Noise and reverberation, measured back."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import soundfile

from whisperq_edge.edge.accuracy.acoustics import (
    active_power,
    convolve,
    pink_noise,
    room_response,
    white_noise,
)
from whisperq_edge.edge.accuracy.condition import Condition
from whisperq_edge.edge.errors import ConfigError

RATE = 16_000


@pytest.fixture(scope="module")
def speech(recordings):
    """A bundled recording, with a second of digital silence before and behind."""
    samples, rate = soundfile.read(sorted(recordings.glob("*.flac"))[0], dtype="float32")
    assert rate == RATE
    return np.pad(samples, RATE)


def level_db(samples):
    """Level of the frames within 35 dB of the loudest, worked out frame by frame."""
    frames = [samples[start : start + 320] for start in range(0, len(samples) // 320 * 320, 320)]
    powers = [float(np.mean(frame.astype(np.float64) ** 2)) for frame in frames]
    return 10 * np.log10(np.mean([p for p in powers if p >= max(powers) / 10**3.5]))


class TestNames:
    @pytest.mark.parametrize(
        ("name", "canonical"),
        [
            ("clean", "clean"),
            ("challenging", "snr10+rt0.5"),
            ("snr10", "snr10"),
            ("snr10.0", "snr10"),
            ("snr-5", "snr-5"),
            ("snr-0", "snr0"),
            ("snr2.25", "snr2.25"),
            ("rt0.5", "rt0.5"),
            ("rt0.50+snr10", "snr10+rt0.5"),
            ("rt1", "rt1"),
        ],
    )
    def test_canonical(self, name, canonical):
        assert Condition.parse(name).name == canonical
        assert Condition.parse(canonical) == Condition.parse(name)

    @pytest.mark.parametrize(
        "name",
        [
            "",
            "loud",
            "snr",
            "rt",
            "snr10+",
            "snr10+snr5",
            "rt1+rt1",
            "snr1e3",
            "snr10 +rt1",
            "SNR10",
            "clean+snr10",
            "snr0.12345",
            "rt-1",
            "snrnan",
            "snr٣",
        ],
    )
    def test_unknown(self, name):
        with pytest.raises(ConfigError, match="unknown condition") as raised:
            Condition.parse(name)
        assert "\n" not in str(raised.value) and "snr10+rt0.5" in str(raised.value)

    @pytest.mark.parametrize(
        ("name", "match"),
        [
            ("snr61", "61 dB is out of range; give -20 to 60"),
            ("snr-21", "-21 dB"),
            ("rt0.05", "0.05 s is out of range; give 0.1 to 3"),
            ("rt4", "4 s"),
            ("snr10+rt9", "9 s"),
        ],
    )
    def test_out_of_range(self, name, match):
        with pytest.raises(ConfigError, match=match):
            Condition.parse(name)


class TestNoise:
    @pytest.mark.parametrize("snr_db", [-5, 0, 10, 25])
    def test_level_is_as_stated(self, speech, snr_db):
        quiet = speech * np.float32(0.1)  # so that nothing has to be made quieter
        noise = Condition(snr_db=snr_db).apply(quiet, "x").astype(np.float64) - quiet
        noise_db = 10 * np.log10(np.mean(noise**2))
        assert level_db(quiet) - noise_db == pytest.approx(snr_db, abs=0.1)

    def test_pauses_do_not_make_it_fainter(self, speech):
        longer = np.pad(speech, 20 * RATE)
        assert active_power(longer) == pytest.approx(active_power(speech), rel=1e-9)

    def test_is_pink(self):
        noise = pink_noise(60 * RATE, np.random.PCG64(1))
        spectrum = np.abs(np.fft.rfft(noise)) ** 2
        hertz = np.fft.rfftfreq(len(noise), 1 / RATE)
        octaves = [
            spectrum[(hertz >= low) & (hertz < 2 * low)].sum() for low in (100, 400, 1600, 3200)
        ]
        assert 10 * np.log10(np.array(octaves) / octaves[0]) == pytest.approx([0] * 4, abs=0.3)
        assert spectrum[hertz < 45].sum() < 1e-3 * spectrum.sum()
        kurtosis = np.mean(noise**4) / np.mean(noise**2) ** 2
        assert kurtosis == pytest.approx(3, abs=0.1)  # normal

    def test_white_noise_is_white_and_normal(self):
        noise = white_noise(400_000, np.random.PCG64(2))
        assert abs(noise.mean()) < 0.005 and noise.var() == pytest.approx(1, rel=0.01)
        assert np.mean(noise**4) == pytest.approx(3, abs=0.15)  # normal
        assert abs(np.mean(noise[1:] * noise[:-1])) < 0.005
        assert len(white_noise(0, np.random.PCG64(2))) == 0


class TestReverberation:
    @pytest.mark.parametrize("rt60_s", [0.2, 0.5, 1.2])
    def test_decays_as_stated(self, rt60_s):
        for seed in range(5):
            response = room_response(rt60_s, np.random.PCG64(seed))
            # Schroeder: what is still to come, in dB; a line from -5 to -35 dB (ISO 3382).
            left = 10 * np.log10(np.cumsum(response[::-1] ** 2)[::-1])
            part = np.flatnonzero((left <= -5) & (left >= -35))
            slope = np.polyfit(part / RATE, left[part], 1)[0]
            assert -60 / slope == pytest.approx(rt60_s, rel=0.08)

    def test_half_of_the_energy_is_direct(self):
        response = room_response(0.5, np.random.PCG64(3))
        assert np.sum(response**2) == pytest.approx(1)
        assert response[0] ** 2 == pytest.approx(0.5)
        assert not response[1:40].any() and response[40:].all()

    def test_convolution(self):
        generator = np.random.default_rng(0)
        one, other = generator.standard_normal(777), generator.standard_normal(90)
        assert convolve(one, other) == pytest.approx(np.convolve(one, other), abs=1e-12)

    def test_sound_comes_no_later_and_rings_on(self, speech):
        heard = Condition(rt60_s=0.5).apply(speech, "x")
        assert len(heard) == len(speech) and heard.dtype == np.float32
        assert np.abs(heard[: RATE - 320]).max() == 0.0
        last = np.flatnonzero(np.abs(speech) > 0.01).max()
        tail = slice(last + 800, last + 4800)
        assert np.abs(heard[tail]).mean() > 2 * np.abs(speech[tail]).mean()
        both = speech[: len(heard)] @ heard / np.linalg.norm(speech) / np.linalg.norm(heard)
        assert both > 0.5  # the direct sound stands where it stood

    def test_level_stays(self, speech):
        heard = Condition(rt60_s=0.5).apply(speech * np.float32(0.1), "x")
        assert level_db(heard) == pytest.approx(level_db(speech) - 20, abs=3)


class TestApply:
    def test_clean_is_untouched(self, speech):
        assert Condition().apply(speech, "x") is speech

    def test_the_same_again_and_another_for_another(self, speech):
        condition = Condition.parse("challenging")
        heard = condition.apply(speech, "x")
        assert heard.tobytes() == Condition.parse("snr10+rt0.5").apply(speech, "x").tobytes()
        assert heard.tobytes() != condition.apply(speech, "y").tobytes()
        # Other conditions draw other noise, not the same one louder.
        ten, five = (
            Condition(snr_db=snr).apply(speech * 0.1, "x") - speech * 0.1 for snr in (10, 5)
        )
        assert abs(np.corrcoef(ten, five)[0, 1]) < 0.2

    def test_the_same_on_every_machine(self):
        ramp = np.linspace(-0.3, 0.3, 2 * RATE, dtype=np.float32) ** 3
        heard = Condition.parse("challenging").apply(ramp, "golden")
        # Written down when it was made, with NumPy 2.4.6; 1.26.4 gives the same.
        golden = "2ed9362647307a5bc55b6033f516efe16a6097054b1018b44cd0b22c7b5e7cdf"
        assert hashlib.sha256(heard.tobytes()).hexdigest() == golden

    def test_the_sound_given_is_left_alone(self, speech):
        before = speech.copy()
        Condition.parse("challenging").apply(speech, "x")
        assert np.array_equal(before, speech)

    def test_nothing_is_cut_off(self, speech):
        loud = speech / np.abs(speech).max()
        for name in ("snr-20", "rt3", "snr-10+rt1"):
            heard = Condition.parse(name).apply(loud, "x")
            assert np.abs(heard).max() <= 0.99 + 1 / 32768
        # Made quieter as a whole: the noise is still as far below.
        noisy = Condition(snr_db=-10).apply(loud, "x").astype(np.float64)
        share = noisy @ loud / (loud @ loud)
        rest = noisy - share * loud
        measured = level_db(share * loud) - 10 * np.log10(np.mean(rest**2))
        assert share < 0.9 and measured == pytest.approx(-10, abs=0.3)

    @pytest.mark.parametrize("n_samples", [0, 1, 100, 320])
    def test_short_and_silent(self, n_samples):
        silent = np.zeros(n_samples, np.float32)
        heard = Condition.parse("challenging").apply(silent, "x")
        assert np.array_equal(heard, silent) and heard.dtype == np.float32

    def test_comes_in_16_bits(self, speech):
        steps = Condition(snr_db=10).apply(speech, "x") * 32768
        assert np.array_equal(steps, np.round(steps))
