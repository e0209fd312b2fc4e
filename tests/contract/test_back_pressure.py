"""A runtime too slow for the sound: what the streamer saves, what it says, and what it keeps."""

from __future__ import annotations

from itertools import pairwise

import pytest

from whisperq_edge.edge.artifact import TOKENIZER
from whisperq_edge.edge.audio.played import Played
from whisperq_edge.edge.audio.recording import open_recording
from whisperq_edge.edge.decoding.tokens import Tokenizer
from whisperq_edge.edge.streaming import recognizer
from whisperq_edge.edge.streaming.live import run_live
from whisperq_edge.edge.streaming.options import StreamingOptions
from whisperq_edge.edge.streaming.pressure import EFFORTS
from whisperq_edge.edge.streaming.streamer import Streamer
from whisperq_edge.edge.transcription.word_errors import word_error_rate
from whisperq_edge.runtimes import open_session

from ..slow_session import SlowClock, SlowSession

POLICIES = ("alignatt", "local-agreement")
LONG = "69_long_71_s.flac"


class Watched(Played):
    """Notes how much sound waits, and makes the computer faster at some place of the recording."""

    def __init__(self, source, clock, faster_at_s, slowness):
        super().__init__(source, clock=clock, sleep=clock.sleep)
        self.waited = []
        self._clock = clock
        self._change = faster_at_s, slowness

    def read(self):
        at_s, slowness = self._change
        if self._position / 16_000 >= at_s:
            self._clock.slowness = slowness
        self.waited.append(self.waiting_s)
        return super().read()


class Run:
    """The long recording by one policy, on a computer of this slowness up to ``faster_at_s``."""

    def __init__(self, artifact, path, policy, slowness, faster_at_s=0.0):
        generation = artifact.manifest.generation
        tokenizer = Tokenizer.read(artifact.folder / TOKENIZER, generation)
        clock = SlowClock(slowness)
        self.notes = []
        with open_session(artifact, threads=1) as session:
            streamer = Streamer(
                SlowSession(session, clock),
                tokenizer,
                generation,
                StreamingOptions(language="en", policy=policy),
                clock=clock,
                notify=self.notes.append,
            )
            sound = Watched(open_recording(str(path)), clock, faster_at_s, slowness=0.0)
            with sound:
                self.events = list(run_live(streamer, sound))
        self.waited, self.counts = sound.waited, streamer.counts

    @property
    def text(self):
        return "".join(event.text for event in self.events if event.kind == "committed").strip()

    def updates(self, start_s, end_s):
        """Texts that may change, told in this part of the sound."""
        told = [event for event in self.events if event.kind == "partial" and event.words]
        return [event for event in told if start_s <= event.audio_time < end_s]


@pytest.fixture(scope="module", params=POLICIES)
def runs(request, artifact, recordings):
    """Fast enough, too slow for 20 seconds, and somewhat too slow throughout.

    Without the second look at the whole window, which takes such a computer so long that it saves
    all it can at once.
    """
    path, policy = recordings / LONG, request.param
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recognizer, "SURE_LOGPROB", -float("inf"))
        return (
            Run(artifact, path, policy, 0.0),
            Run(artifact, path, policy, 1.0, faster_at_s=20.0),
            Run(artifact, path, policy, 0.5, faster_at_s=1e9),
        )


def test_who_keeps_pace_saves_nothing_and_says_nothing(runs):
    fast, _, _ = runs
    assert fast.notes == []
    assert max(fast.waited) < 0.5
    assert fast.updates(0, 40)


def test_each_change_is_said_once_and_it_catches_up(runs):
    _, slow, _ = runs
    *saved, _ = [note.split(": ")[1] for note in slow.notes]
    assert saved == [effort.saves for effort in EFFORTS[1:4]]
    assert slow.notes[-1] == "caught up with the sound: updating as asked"
    assert max(slow.waited) > EFFORTS[3].from_s
    assert slow.waited[-1] < 0.5


def test_work_is_saved_while_it_is_behind_and_only_then(runs):
    fast, slow, _ = runs
    assert len(slow.updates(5, 30)) < len(fast.updates(5, 30)) / 2
    assert slow.updates(55, 71)
    assert slow.counts.encoded_s < fast.counts.encoded_s


def test_nothing_that_was_said_is_lost(runs):
    fast, *slow = runs
    for run in slow:
        # Fewer updates are cut elsewhere, and a word at a cut may be read otherwise.
        assert word_error_rate([fast.text], [run.text]) <= 0.10
        ends = [event.end for event in run.events if event.kind == "committed"]
        gaps = [later - earlier for earlier, later in pairwise([0.0, *ends])]
        assert ends[-1] > 69
        assert max(gaps) < 8, "a part of the recording has no words"


@pytest.mark.parametrize("policy", POLICIES)
def test_second_looks_are_saved_as_well(artifact, recordings, policy):
    """Each would take 15 s here: after the first few there is no time for any."""
    fast = Run(artifact, recordings / LONG, policy, 0.0)
    slow = Run(artifact, recordings / LONG, policy, 0.5, faster_at_s=1e9)
    assert slow.counts.widened < fast.counts.widened / 2
    assert len(slow.notes) <= len(EFFORTS), "it goes to and fro"
    assert max(slow.waited) < 30
    assert word_error_rate([fast.text], [slow.text]) <= 0.10


def test_what_waits_stays_bounded(runs):
    """With what is saved, computing takes less time than the sound: no more and more waits."""
    _, _, slow = runs
    n = len(slow.waited) // 2
    assert max(slow.waited[n:]) <= max(slow.waited[:n])
    assert len(slow.notes) <= len(EFFORTS), "it goes to and fro"
