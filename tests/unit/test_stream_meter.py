"""A stream that is measured: every number of its report, beside one worked out by hand."""

import itertools
import tracemalloc

import msgspec
import numpy as np
import pytest

from whisperq_edge.edge.cli.stream_report import rows
from whisperq_edge.edge.streaming import committed_words
from whisperq_edge.edge.streaming.distribution import Quantiles
from whisperq_edge.edge.streaming.events import Event
from whisperq_edge.edge.streaming.meter import StreamMeter
from whisperq_edge.edge.streaming.metrics import StreamReport
from whisperq_edge.edge.streaming.options import StreamingOptions
from whisperq_edge.edge.streaming.reference import Reference, ReferenceSegment
from whisperq_edge.edge.streaming.streamer import Streamer
from whisperq_edge.edge.transcription.transcript import Word
from whisperq_edge.edge.types import SAMPLE_RATE

from ..tone_session import ToneActivity, ToneSession, generation, speak, tokenizer


def event(kind, heard_s, *words):
    """An event whose words are ``(text, start, end)``."""
    timed = tuple(Word(text, start, end, 1.0) for text, start, end in words)
    text = "".join(word.word for word in timed)
    start, end = (timed[0].start, timed[-1].end) if timed else (heard_s, heard_s)
    return Event(kind, text, timed, start, end, heard_s, heard_s)


class Clock:
    """Time that passes only where the test says so."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class Scripted:
    """A streamer that answers each call with the next events, and computes as long as told."""

    def __init__(self, clock, *calls):
        self._clock = clock
        self._calls = list(calls)
        self.behind = []

    def feed(self, samples, *, behind_s=0.0):
        self.behind.append(behind_s)
        return self.finish()

    def finish(self):
        compute_s, *events = self._calls.pop(0)
        self._clock.now += compute_s
        return events


def measured(*calls, piece_s=1.0, **how):
    """A meter after all of these calls, the last of which is ``finish``."""
    clock = Clock()
    meter = StreamMeter(Scripted(clock, *calls), clock=clock, cpu_clock=lambda: 2 * clock(), **how)
    for _ in calls[:-1]:
        meter.feed(np.zeros(round(piece_s * SAMPLE_RATE), np.float32))
    meter.finish()
    return meter


# Four pieces of a second. The second call takes longer than the sound lasts, so the third has to
# wait: the calls end at 1.5, 2 + 1.5 = 3.5, 3.5 + .25 = 3.75, 4.25 and, for finish, 4.75 s.
CAN_I = (
    (0.5, event("partial", 1.0, (" can", 0.5, 0.9))),
    (1.5, event("partial", 2.0, (" can", 0.5, 0.9), (" i", 1.0, 1.5))),
    (
        0.25,
        event("committed", 3.0, (" can", 0.5, 0.9)),
        event("partial", 3.0, (" Eye.", 1.0, 1.5)),
    ),
    (
        0.25,
        event("committed", 4.0, (" I.", 1.0, 1.5)),
        event("partial", 4.0),
        event("endpoint", 4.0, (" can", 0.5, 0.9), (" I.", 1.0, 1.5)),
    ),
    (0.5,),
)


class TestStreamMeter:
    def test_latencies(self):
        report = measured(*CAN_I).report()
        first, commit, endpoint = report.first_word, report.commit, report.endpoint
        # "can" starts at .5 and shows at 1 s.
        assert (first.unaware.p50_s, first.aware.p50_s) == (0.5, 1.0)
        # "can" ends at .9 and stays from 3 s on; "I" ends at 1.5 and stays from 4 s on.
        assert (commit.unaware.p50_s, commit.unaware.p95_s) == (2.1, 2.5)
        assert (commit.aware.p50_s, commit.aware.p95_s) == (2.75, 2.85)
        assert (endpoint.unaware.p50_s, endpoint.aware.p50_s) == (2.5, 2.75)
        assert (first.unaware.n, commit.unaware.n, endpoint.unaware.n) == (1, 2, 1)

    def test_compute(self):
        report = measured(*CAN_I).report()
        assert (report.sound_s, report.speech_s, report.compute_s) == (4.0, 1.0, 3.0)
        assert (report.real_time_factor, report.cpu_per_sound) == (0.75, 1.5)
        assert report.most_behind_s == 1.5  # when the second call ends at 3.5 s
        assert report.encoded_per_sound is None

    def test_updates_and_what_was_taken_back(self):
        report = measured(*CAN_I).report()
        assert (report.n_updates, report.updates_per_s, report.updates_per_speech_s) == (4, 1, 4)
        # "i" becomes "Eye.", which becomes "I.": 2, for a final text of two words.
        assert (report.n_erased, report.normalized_erasure, report.n_changed) == (2, 1.0, 0)
        assert (report.n_utterances, report.n_words) == (1, 2)

    def test_lagging_without_a_reference(self):
        report = measured(*CAN_I).report()
        # Two words in 4 s, 2 s each: 3 - 0, 4 - 2. With computing 3.75 - 0, 4.25 - 2.
        assert (report.laal.unaware_s, report.laal.aware_s) == (2.5, 3.0)
        assert report.laal.pace == "text"
        assert (report.errors, report.stream_laal) == (None, None)
        assert any("no reference" in note for note in report.notes)

    def test_lagging_and_errors_with_a_reference(self):
        report = measured(*CAN_I).report(Reference("Can I go?"))
        # Three words in 4 s: 3 - 0, 4 - 4/3. With computing 3.75 - 0, 4.25 - 4/3.
        assert report.laal.unaware_s == pytest.approx(17 / 6)
        assert report.laal.aware_s == pytest.approx(10 / 3)
        assert report.laal.pace == "reference"
        assert report.errors.rate == 1 / 3
        assert report.errors.deletions == 1
        assert any("StreamLAAL" in note for note in report.notes)

    def test_lagging_by_segments(self):
        segments = [ReferenceSegment(0.5, 2.5, "can"), ReferenceSegment(2.0, 3.0, "i")]
        report = measured(*CAN_I).report(Reference.of(segments))
        # "can" 2.5 s after its segment's start, past its 2 s; "i" 2 s after its own, past its 1 s.
        assert report.stream_laal.unaware_s == (2.5 + 2) / 2
        assert report.stream_laal.aware_s == (3.25 + 2.25) / 2

    def test_the_end_of_the_sound_is_no_endpoint(self):
        word = (" yes", 0.2, 0.6)
        said = (event("committed", 1.024, word), event("endpoint", 1.024, word))
        report = measured((0.0,), (0.25, *said)).report()
        assert report.endpoint is None
        assert report.n_utterances == 1
        # The padded frame is not heard: at 1 s, not at 1.024.
        assert report.commit.unaware.p50_s == 0.4
        assert report.commit.aware.p50_s == 0.65

    def test_text_that_vanished_was_nobodys_first(self):
        report = measured(
            (0.0, event("partial", 1.0, (" uh", 0.1, 0.4))),
            (0.0, event("partial", 2.0)),
            (0.0,),
            (0.0, event("partial", 4.0, (" yes", 3.1, 3.6))),
            (
                0.0,
                event("committed", 5.0, (" yes", 3.25, 3.6)),
                event("partial", 5.0),
                event("endpoint", 5.0, (" yes", 3.25, 3.6)),
            ),
            (0.0,),
        ).report()
        assert report.first_word.unaware == Quantiles(1, 0.75, 0.75, 0.75)
        assert report.n_erased == 1

    def test_each_utterance_has_its_first_word(self):
        def one(heard_s, start, end):
            word = (" yes", start, end)
            return (
                0.0,
                event("committed", heard_s, word),
                event("endpoint", heard_s, word),
            )

        report = measured(one(1.0, 0.5, 0.75), one(2.0, 1.25, 1.5), (0.0,)).report()
        assert report.first_word.unaware == Quantiles(2, 0.5, 0.75, 0.75)
        assert report.speech_s == 0.5

    def test_committed_text_that_changed_is_noticed(self):
        for text, n_changed in ((" yes", 0), (" yep", 1)):
            said = (event("committed", 1.0, (" yes", 0.1, 0.6)),)
            report = measured(
                (0.0, *said), (0.0, event("endpoint", 1.0, (text, 0.1, 0.6)))
            ).report()
            assert report.n_changed == n_changed

    def test_tells_how_much_would_wait(self):
        clock = Clock()
        streamer = Scripted(clock, (1.5,), (0.25,))
        meter = StreamMeter(streamer, clock=clock)
        assert meter.behind_s == 0
        meter.feed(np.zeros(SAMPLE_RATE, np.float32), behind_s=0.125)
        assert meter.behind_s == 1.5
        meter.feed(np.zeros(SAMPLE_RATE, np.float32), behind_s=meter.behind_s)
        assert meter.behind_s == 0.75  # until 2.75 s, of which 2 are fed
        assert streamer.behind == [0.125, 1.5]

    def test_events_come_as_they_are(self):
        clock = Clock()
        meter = StreamMeter(Scripted(clock, *CAN_I), clock=clock)
        for _, *events in CAN_I[:-1]:
            assert meter.feed(np.zeros(SAMPLE_RATE, np.float32)) == events
        assert meter.finish() == []

    def test_before_anything_was_fed(self):
        report = StreamMeter(Scripted(Clock())).report(Reference("yes"))
        assert report.real_time_factor is None
        assert report.laal is report.commit is report.normalized_erasure is None
        assert report.errors.rate == 1.0

    def test_characters(self):
        said = (event("committed", 1.0, ("你", 0.1, 0.3), ("好。", 0.3, 0.6)),)
        report = measured((0.0, *said), (0.0,), unit="char").report(Reference("你 好吗"))
        assert (report.n_words, report.errors.n_reference, report.errors.deletions) == (2, 3, 1)

    def test_json_round_trip(self):
        report = measured(*CAN_I).report(Reference("can i"))
        assert msgspec.json.decode(msgspec.json.encode(report), type=StreamReport) == report


class TestARealStreamer:
    """Over a session that hears tones as words."""

    def streamer(self):
        return Streamer(
            ToneSession(),
            tokenizer(),
            generation(),
            StreamingOptions(language="en"),
            activity=ToneActivity(),
            clock=itertools.count().__next__,
        )

    def fed(self, streamer):
        sound = np.concatenate([speak("zero one two", pause_s=1.0), speak("three", pause_s=1.0)])
        pieces = np.split(sound, range(1600, len(sound), 1600))
        events = [event for piece in pieces for event in streamer.feed(piece)]
        return events + streamer.finish()

    def test_tells_the_same_through_the_meter(self):
        assert self.fed(StreamMeter(self.streamer())) == self.fed(self.streamer())

    def test_measures_what_it_hears(self):
        meter = StreamMeter(self.streamer())
        self.fed(meter)
        report = meter.report(Reference("zero one two three"))
        assert report.errors.rate == 0
        assert (report.n_words, report.n_utterances, report.n_changed) == (4, 2, 0)
        assert report.commit.unaware.n == 4
        assert report.commit.unaware.max_s <= report.commit.aware.max_s
        assert report.encoded_per_sound > 0


def test_too_many_words_are_only_counted(monkeypatch):
    monkeypatch.setattr(committed_words, "MOST_WORDS", 1)
    report = measured(*CAN_I).report(Reference("can i"))
    assert report.n_words == 2
    assert report.errors is report.laal is report.stream_laal is None
    assert report.commit.unaware.n == 2
    assert any("more than" in note for note in report.notes)


def test_a_long_stream_needs_no_more_memory(monkeypatch):
    monkeypatch.setattr(committed_words, "MOST_WORDS", 500)
    clock = Clock()

    class Endless:
        """Three words every half second; an endpoint now and then."""

        def __init__(self):
            self.n = 0

        def feed(self, samples, *, behind_s=0.0):
            clock.now += 0.125 + self.n % 7 / 1000
            self.n += 1
            heard = self.n / 2
            words = [(f" w{k}", heard - 1, heard - k / 7) for k in range(3)]
            events = [event("committed", heard, *words), event("partial", heard, *words[:2])]
            if self.n % 1000 == 0:
                events.append(event("endpoint", heard, *words))
            return events

    meter, piece = StreamMeter(Endless(), clock=clock), np.zeros(SAMPLE_RATE // 2, np.float32)
    tracemalloc.start()
    for _ in range(2000):
        meter.feed(piece)
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(10_000):
        meter.feed(piece)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 10_000
    assert meter.report().n_words == 36_000


def test_rows_have_units():
    table = dict(rows(measured(*CAN_I).report(Reference("can i go"))))
    assert table["word error rate"] == "33.33% of 3 (0 substituted, 0 inserted, 1 deleted)"
    assert table["LAAL"] == "2833 ms, computation-aware 3333 ms"
    assert table["StreamLAAL"] == "-"
    assert table["commit p50 / p95"] == "2.10 / 2.50 s, computation-aware 2.75 / 2.85 s"
    assert table["words taken back"] == "2, normalized erasure 1.00"
    assert table["most sound waiting"] == "1.50 s"
    empty = dict(rows(StreamMeter(Scripted(Clock())).report()))
    assert empty["real-time factor"] == empty["LAAL"] == empty["word error rate"] == "-"
