"""Which configuration is chosen within limits, why the others lost, and estimates."""

from __future__ import annotations

from importlib.resources import files

import msgspec
import pytest

from whisperq_edge.edge.errors import ConfigError
from whisperq_edge.edge.profiling.board import CoreGroup
from whisperq_edge.edge.profiling.devices import device, devices
from whisperq_edge.edge.profiling.estimate import estimate
from whisperq_edge.edge.profiling.estimate_beside import beside
from whisperq_edge.edge.profiling.estimate_published import anchor, worst_error
from whisperq_edge.edge.profiling.fit import MARGIN, misfit
from whisperq_edge.edge.profiling.limits import Limits
from whisperq_edge.edge.profiling.recommend import noise, recommend
from whisperq_edge.edge.profiling.record import Clip
from whisperq_edge.edge.profiling.summary import real_time_factor, stage_s, token_s
from whisperq_edge.edge.profiling.vector_unit import VectorUnit
from whisperq_edge.edge.reports.rows import rows_of
from whisperq_edge.edge.reports.verdict import verdict
from whisperq_edge.edge.transcription.word_errors import WordErrors

from ..records import (
    BOARD,
    CLIPS,
    PROTOCOL_HERE,
    SHARES,
    absent,
    configuration,
    errors,
    many,
    outcome,
    record,
    stand_in,
)

FIVE = (CLIPS[0], Clip("5s", 5.0, "5" * 64))
AT_FIVE = msgspec.structs.replace(PROTOCOL_HERE, clips=FIVE)


def row(speed=0.2, threads=2, **more):
    return outcome(speed, configuration(threads=threads), **more)


def reasons(found):
    return {loser.number: loser.reason for loser in found.losers}


def test_the_fastest_at_the_same_words():
    found = recommend(record(row(0.30, 1), row(0.20, 2), row(0.26, 4, peak=100_000_000)))
    assert found.number == 1
    assert found.figures.configuration.threads == 2
    assert reasons(found) == {
        0: "slower at the same words: 0.315 of real time, and the choice 0.21; 0 MB more memory",
        2: "slower at the same words: 0.273 of real time, and the choice 0.21; 18 MB less memory",
    }


def test_a_difference_within_the_spread_is_not_called_clear():
    found = recommend(record(row(0.20, 1), row(0.21, 2)))
    assert reasons(found)[1].startswith("not clearly slower at the same words: 0.221 of real time")


def test_of_equals_the_one_with_the_least_memory():
    assert recommend(record(row(peak=120_000_000), row(peak=90_000_000))).number == 1


@pytest.mark.parametrize(
    ("limits", "slow", "reason"),
    [
        (
            Limits(memory_bytes=120_000_000),
            {},
            "it needs 129.8 MB of memory (118.0 MB and 10 %), 9.8 MB over the limit of 120.0 MB",
        ),
        (Limits(error_rate=0.04), {}, "4.1 % of words wrong, 0.1 % over the limit of 4 %"),
        (
            Limits(real_time_factor=0.2),
            {},
            "0.21 of real time in its slowest round, 0.01 over the limit of 0.2",
        ),
        (
            Limits(latency_s=1.0),
            {"clips": FIVE},
            "1.05 s for 5 s of sound in the slowest pass, 0.05 s over the limit of 1 s",
        ),
    ],
)
def test_a_limit_that_is_broken_is_told_with_how_much(limits, slow, reason):
    protocol = AT_FIVE if slow else PROTOCOL_HERE
    worse = row(0.2, 1, **slow)
    better = row(0.1, 2, peak=80_000_000, errors=errors(10), **slow)
    assert recommend(record(better, worse, protocol=protocol), limits).number == 0
    alone = recommend(record(worse, protocol=protocol), limits)
    assert (alone.number, alone.figures) == (None, None)
    assert alone.losers[0].reason == reason
    assert alone.nearest is alone.losers[0]


def test_what_is_as_much_as_is_allowed_is_kept():
    slowest = real_time_factor(row(0.2), PROTOCOL_HERE).high
    limits = Limits(error_rate=errors(41).rate, real_time_factor=slowest)
    assert recommend(record(row(0.2)), limits).number == 0


def test_every_broken_limit_is_told_and_the_nearest_found():
    limits = Limits(memory_bytes=118_000_000, real_time_factor=0.1)
    found = recommend(record(row(0.3), row(0.11, 4)), limits)
    assert found.number is None
    assert reasons(found)[0].count("over the limit of") == 2
    assert found.nearest is found.losers[1]


def test_a_limit_on_what_was_not_measured_is_not_kept():
    found = recommend(
        record(row(0.1, errors=None, memory=None)),
        Limits(memory_bytes=1, error_rate=1.0, latency_s=9.0),
    )
    assert reasons(found)[0] == (
        "its memory was not measured, and there is a limit on it; "
        "its words were not counted, and there is a limit on it; "
        "no clip of 5 s was timed, and there is a limit on it"
    )


def test_memory_fits_exactly_where_the_profiler_says_so():
    peak = 118_000_000
    for limit in (129_799_999, 129_800_000, 129_800_001):
        fits = recommend(record(row(peak=peak)), Limits(memory_bytes=limit)).number == 0
        assert fits == (misfit(peak, limit, None) is None) == (peak * MARGIN <= limit)


def test_more_words_wrong_than_noise():
    best, near, far = (errors(wrong) for wrong in (41, 47, 48))
    assert 6 < noise(best) * 1000 < 7
    found = recommend(
        record(row(0.5, 1, errors=best), row(0.3, 2, errors=near), row(0.1, 4, errors=far))
    )
    assert found.number == 1
    assert reasons(found)[2] == "48 of 1000 words wrong; the best has 41, give or take 6.4"


def test_no_error_in_a_few_words_is_no_certainty():
    none, one = WordErrors(0.0, 30, 0, 0, 0), WordErrors(1 / 30, 30, 1, 0, 0)
    assert noise(none) > 0
    assert recommend(record(row(0.4, errors=none), row(0.1, 4, errors=one))).number == 1


def test_what_is_never_chosen():
    given = (stand_in(), absent(), absent("failed", "killed by SIGKILL"), row(0.5, 1))
    found = recommend(record(*given))
    assert found.number == 3
    assert reasons(found) == {
        0: "it was run by a stand-in, whose times are nobody's",
        1: "skipped: the budget of 3 minutes was spent",
        2: "failed: killed by SIGKILL",
    }
    assert recommend(record(*given[:3])).nearest is None


def test_a_failure_keeps_its_figures_and_is_not_chosen():
    failed = row(0.1, status="failed", reason="a library crashed (SIGSEGV)")
    assert recommend(record(failed, row(0.2, 4))).number == 1


def test_times_of_an_emulated_processor_are_nobodys():
    label = "emulated: times mean nothing"
    found = recommend(record(row(), labels=(label,)))
    assert found.number is None
    assert "emulated" in reasons(found)[0]
    assert found.notes == (label,)


def test_uncounted_words_lose_to_counted_ones():
    found = recommend(record(row(0.1, errors=None), row(0.3, 4)))
    assert (found.number, reasons(found)[0]) == (1, "its words were not counted")
    alone = recommend(record(row(0.1, errors=None)))
    assert alone.number == 0
    assert "no words were counted: nothing here says how good the text is" in alone.notes


def test_who_keeps_up_comes_first_without_a_limit_on_speed():
    good, fast = row(1.2, 1, errors=errors(10)), row(0.5, 4, errors=errors(60))
    found = recommend(record(good, fast))
    assert found.number == 1
    assert reasons(found)[0] == "it does not keep up with live sound: 1.26 of real time in a round"
    assert recommend(record(good, fast), Limits(real_time_factor=2.0)).number == 0
    slow = recommend(record(good))
    assert slow.number == 0
    assert "it does not keep up with live sound: 1.26 of real time" in slow.notes


def test_doubts_are_told_and_do_not_exclude():
    found = recommend(record(row(0.1, doubts=("too few passes: 1 of 6",)), row(0.3, 4)))
    assert found.number == 0
    assert "doubtful: too few passes: 1 of 6" in found.notes


def test_few_words_are_told():
    found = recommend(record(row(errors=errors(4, 100))))
    assert "words wrong are of 100 only" in found.notes


def test_the_report_gives_the_same_advice():
    given = many()
    assert recommend(given).number == verdict(given, rows_of(given)).row.number - 1


def test_every_loser_has_a_reason_in_one_line():
    found = recommend(many(), Limits(memory_bytes=100_000_000, error_rate=0.05))
    assert len(found.losers) == len(many().outcomes) - 1
    assert all(loser.reason and "\n" not in loser.reason for loser in found.losers)


# Estimates.


def as_if(given, device_id):
    return estimate(given, device_id, device(device_id))


def test_an_anchor_scales_everything_by_what_others_measured():
    found = anchor("raspberry-pi-5", "raspberry-pi-4")
    assert found is not None
    assert found.ratio == pytest.approx(9.5 / 1.11)
    assert found.text == "whisper.cpp, tiny: encoder, a window of 30 s"
    given = record(row())
    estimated = as_if(given, "raspberry-pi-4")
    before, after = (real_time_factor(one.outcomes[0], PROTOCOL_HERE) for one in (given, estimated))
    assert after.median == pytest.approx(before.median * 9.5 / 1.11)
    assert estimated.board.device_id == "raspberry-pi-4"


def test_without_an_anchor_each_stage_is_scaled_by_what_limits_it():
    assert anchor("raspberry-pi-5", "intel-n100") is None
    given = record(outcome(0.2, configuration(target="onnx", threads=2)))
    before, after = given.outcomes[0], as_if(given, "intel-n100").outcomes[0]

    def times(stage):
        return stage_s(after, stage, "10s").median / stage_s(before, stage, "10s").median

    clock = 2400 / 3400
    assert times("mel") == pytest.approx(clock)
    assert times("encode") == pytest.approx(clock * 16 / 32)  # SDOT beside VPDPBUSD
    assert times("prompt") == pytest.approx(clock * 16 / 32)
    assert token_s(after).median / token_s(before).median == pytest.approx(17.0 / 38.4)
    assert times("sample") == pytest.approx(clock)
    parts = sum(stage_s(after, stage, "10s").median for stage in SHARES)
    assert stage_s(after, "total", "10s").median == pytest.approx(parts)


def test_an_estimate_says_what_it_is():
    estimated = as_if(record(row(), labels=("with a fan",)), "intel-n100")
    assert estimated.labels[0].startswith("estimate, not measured: times of Raspberry Pi 5")
    assert f"wrong by up to {worst_error():.0f} times" in estimated.labels[0]
    assert estimated.labels[1] == "with a fan"
    assert recommend(estimated).notes[:2] == estimated.labels
    (one,) = estimated.outcomes
    assert one.memory == row().memory
    assert one.errors == row().errors
    assert (one.starts, one.energy, one.before, one.device) == ((), None, None, None)
    with pytest.raises(ConfigError, match="not measured on a board"):
        as_if(estimated, "raspberry-pi-4")


def test_the_error_is_the_worst_among_published_pairs():
    # Pi 3 B+ and 5: 22.6 s and 1.11 s, where clocks alone say 2400 / 1400.
    assert worst_error() == pytest.approx(22.6 / 1.11 / (2400 / 1400))


@pytest.mark.parametrize(
    ("device_id", "given", "complaint"),
    [
        ("apple-m4", row(), "the clock of Apple M4 is not known"),
        ("raspberry-pi-4", stand_in(), "nothing was measured but by stand-ins"),
        ("raspberry-pi-4", absent(), "the budget of 3 minutes was spent"),
        ("iphone-15-pro", row(), "openvino does not work there"),
        ("raspberry-pi-zero-2-w", outcome(given=configuration(threads=8)), "fewer than 8 cores"),
    ],
)
def test_where_nothing_honest_can_be_said(device_id, given, complaint):
    # Of a board without published times, which would say how the two compare.
    board = msgspec.structs.replace(BOARD, device_id=None)
    with pytest.raises(ConfigError, match=complaint):
        as_if(record(given, board=board), device_id)


def test_a_record_without_clocks_gives_no_estimate():
    cores = (CoreGroup("AMD EPYC", 2, None),)
    board = msgspec.structs.replace(BOARD, device_id=None, machine="x86_64", cores=cores)
    with pytest.raises(ConfigError, match="the clock of the board of the record is not known"):
        as_if(record(row(), board=board), "raspberry-pi-5")


def test_an_emulated_board_gives_no_estimate():
    with pytest.raises(ConfigError, match="not measured on a board"):
        as_if(record(row(), labels=("emulated: times mean nothing",)), "raspberry-pi-4")


def test_floats_are_multiplied_as_floats():
    arm = VectorUnit.of("aarch64", ("asimddp",))
    assert arm.products("onnx", "int8") == 16
    assert arm.products("openvino", "int8") == arm.products("onnx", "fp32") == 4
    assert VectorUnit.of("arm64", ("asimddp", "i8mm")).products("onnx", "int4:32") == 32
    zen4 = VectorUnit.of("x86_64", ("avx2", "avx_vnni", "avx512_vnni"))
    assert (zen4.products("openvino", "int8"), zen4.products("onnx", "fp16")) == (64, 16)


def test_an_estimate_beside_what_was_measured():
    estimated = as_if(record(row(0.1)), "raspberry-pi-4")
    board = msgspec.structs.replace(BOARD, device_id="raspberry-pi-4")
    measured = record(row(0.5), row(0.4, 4), absent(), board=board)
    (one,) = beside(estimated, measured)
    assert one.name == row().configuration.name
    assert one.estimated == pytest.approx(0.1 * 9.5 / 1.11)
    assert one.measured == pytest.approx(0.5)
    assert one.ratio == pytest.approx(one.estimated / 0.5)
    assert not list(beside(estimated, record(row(clips=FIVE), protocol=AT_FIVE, board=board)))


def test_every_board_is_estimated_or_says_why_not():
    given = record(*(outcome(0.2, configuration(target=t, threads=4)) for t in ("onnx", "tflite")))
    assert len(devices()) == len(list((files("whisperq_edge") / "devices").glob("*.toml")))
    for device_id, entry in devices().items():
        try:
            found = recommend(estimate(given, device_id, entry))
        except ConfigError as error:
            assert entry.name in str(error)
        else:
            assert found.notes[0].startswith("estimate, not measured")
