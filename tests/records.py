"""Records as the profiler writes them, with figures that a test can work out by hand."""

from __future__ import annotations

import msgspec

from whisperq_edge.edge.profiling.board import Board, Condition, CoreGroup
from whisperq_edge.edge.profiling.record import (
    PROTOCOL,
    SCHEMA,
    Clip,
    Configuration,
    Duration,
    Energy,
    Memory,
    Moment,
    Outcome,
    Pass,
    Protocol,
    Record,
    Start,
)
from whisperq_edge.edge.transcription.word_errors import WordErrors

CLIPS = (Clip("2s", 2.0, "2" * 64), Clip("10s", 10.0, "a" * 64))
PROTOCOL_HERE = Protocol(PROTOCOL, CLIPS, 1, 3, 2, "f" * 64, 0.0)
BOARD = Board(
    model="Raspberry Pi 5 Model B Rev 1.0",
    machine="aarch64",
    system="Linux-6.6.31-aarch64-with-glibc2.36",
    cores=(CoreGroup("Cortex-A76", 4, 2400),),
    usable_cores=4,
    features=("asimddp",),
    memory_bytes=8_000_000_000,
    memory_limit_bytes=None,
    governor="ondemand",
    device_id="raspberry-pi-5",
    python="3.11.2",
)
COOL = Condition((1500, 2400), {"cpu-thermal": 48.2}, (), (), 6_000_000_000, {})
HOT = Condition((1500, 1500), {"cpu-thermal": 84.9}, ("throttled",), ("throttled",), None, {})
SHARES = {
    "mel": 0.02,
    "encode": 0.6,
    "prompt": 0.05,
    "decode": 0.3,
    "sample": 0.01,
    "other": 0.02,
}


def configuration(precision="int8", target="openvino", threads=2, model="tiny", **more):
    given = {
        "layout": "native",
        "device": None,
        "provider": None,
        "digest": f"{model}-{target}-{precision}".encode().hex().ljust(64, "0")[:64],
        "size_bytes": 41_000_000,
    }
    return Configuration(
        model=model, target=target, precision=precision, threads=threads, **(given | more)
    )


def errors(wrong=41, words=1000):
    return WordErrors(wrong / words, words, wrong, 0, 0)


def duration(wall_s):
    return Duration(wall_s, 1.8 * wall_s)


def one_pass(clip, total_s, phase="measured", n_tokens=20, **more):
    stages = {stage: duration(share * total_s) for stage, share in SHARES.items()}
    stages["total"] = duration(total_s)
    given = {"waited_s": 0.001, "clock_mhz": 2400, "temperature_c": 55.0}
    return Pass(clip, phase, stages, n_tokens, **(given | more))


def outcome(speed=0.2, given=None, *, spread=0.05, peak=118_000_000, clips=CLIPS, **more):
    """What came of a configuration that takes ``speed`` of real time.

    Its three rounds that count take ``speed``, and so much less and more of it as ``spread`` says;
    the first pass of each clip, and a warm-up, take twice as long.
    """
    rounds = (speed, speed * (1 - spread), speed * (1 + spread))
    passes = []
    for clip in clips:
        slow = 2 * speed * clip.duration_s
        passes += [one_pass(clip.name, slow, phase) for phase in ("first", "warm-up")]
        passes += [one_pass(clip.name, factor * clip.duration_s) for factor in rounds]
    start = Start(duration(0.6), duration(0.4), duration(2 * speed * clips[0].duration_s), True)
    peaks = {"load": peak - 20_000_000, "encode": peak, "decode": peak - 5_000_000, "total": peak}
    found = {
        "configuration": given or configuration(),
        "status": "measured",
        "tools": {"openvino": "2026.4.1"},
        "device": "CPU",
        "starts": (start, msgspec.structs.replace(start, cached=False, load=duration(0.9))),
        "passes": tuple(passes),
        "memory": Memory(32_000_000, peak - 30_000_000, peaks, True),
        "errors": errors(),
        "texts": {clip.name: "hello" for clip in clips},
        "before": COOL,
        "after": COOL,
    }
    return Outcome(**(found | more))


def absent(status="skipped", reason="the budget of 3 minutes was spent", given=None):
    return Outcome(given or configuration("int4:32"), status, reason)


def stand_in():
    doubt = "a stand-in shows what the target computes: its times are nobody's"
    given = configuration(target="qualcomm", threads=1)
    return outcome(0.01, given, stand_in=True, doubts=(doubt,))


def sustained(minutes=10, speed=0.2):
    """Ten moments a minute: at half of the time the board is hot, and a half slower from then."""
    moments = []
    for index in range(10 * minutes):
        is_hot = index >= 5 * minutes
        factor, throttled = (1.5, ("throttled",)) if is_hot else (1.0, ())
        temperature = min(50.0 + 70.0 * index / (10 * minutes), 85.0)
        clock = 1500 if is_hot else 2400
        moments.append(Moment(6.0 * index, speed * factor, clock, temperature, throttled))
    return tuple(moments)


def energy():
    return Energy("ina3221", {"VDD_IN": 108.0}, {"VDD_IN": 2.5}, 36.0)


def record(*outcomes, protocol=PROTOCOL_HERE, board=BOARD, labels=(), **more):
    found = {"created": "2026-11-28T08:00:00Z", "package": "0.1.0", "schema": SCHEMA}
    return Record(
        protocol=protocol,
        board=board,
        labels=labels,
        outcomes=outcomes or (outcome(),),
        **(found | more),
    )


def many():
    """What a long run leaves: targets, precisions and threads, and some of all that goes wrong."""
    outcomes = []
    costs = {
        "onnx": (0.30, 95_000_000),
        "openvino": (0.24, 118_000_000),
        "tflite": (0.35, 82_000_000),
    }
    words = {"float32": 40, "int8": 41, "int4:32": 62}
    gains = {"float32": 2.1, "int8": 1.0, "int4:32": 0.9}
    for target, (speed, peak) in costs.items():
        for precision, wrong in words.items():
            for threads in (1, 2, 4):
                given = configuration(precision, target, threads)
                cost = speed * gains[precision] / threads**0.8
                more = {"errors": errors(wrong), "peak": round(peak * gains[precision] ** 0.6)}
                if (target, precision, threads) == ("onnx", "int8", 4):
                    more["doubts"] = ("waited for a processor 31 % of the time",)
                if (target, precision, threads) == ("openvino", "int8", 4):
                    more |= {"sustained": sustained(), "energy": energy(), "after": HOT}
                outcomes.append(outcome(cost, given, **more))
    outcomes.append(stand_in())
    outcomes.append(absent())
    outcomes.append(absent("failed", "killed by SIGKILL", configuration("int4:128", "onnx")))
    return record(*outcomes)
