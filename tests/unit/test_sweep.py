"""Sweeps on any executor: nothing lost, nothing twice, whatever dies."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from whisperq_edge.edge.accuracy.pool import Pool
from whisperq_edge.edge.accuracy.result import Result
from whisperq_edge.edge.accuracy.store import ResultStore
from whisperq_edge.edge.accuracy.sweep import run_sweep
from whisperq_edge.edge.accuracy.sweep_progress import Pace
from whisperq_edge.edge.accuracy.sweep_queue import LOST_OFTEN, OF_ARTIFACT, SweepQueue
from whisperq_edge.edge.accuracy.task import result_key
from whisperq_edge.edge.accuracy.workers import WorkersError
from whisperq_edge.edge.errors import RemoteError, WhisperqError
from whisperq_edge.tests import sweep_stand_ins
from whisperq_edge.tests.sweep_stand_ins import SETTINGS, hear, n_heard, tasks, utterances

EXECUTORS = {
    "threads": lambda: ThreadPoolExecutor(2),
    "processes": lambda: ProcessPoolExecutor(2, multiprocessing.get_context("spawn")),
    "pool": lambda: Pool(2),
}


class Died(BaseException):
    """What ``AtOnce`` takes for the end of a worker."""


class AtOnce(Executor):
    """Does what it is given while it is given it, in this process."""

    def __init__(self):
        self.n_submitted = 0

    def submit(self, fn, /, *args, **kwargs):
        self.n_submitted += 1
        future = Future()
        future.set_running_or_notify_cancel()
        try:
            future.set_result(fn(*args, **kwargs))
        except Died:
            future.set_exception(OSError("a worker was lost"))
        return future


@pytest.fixture
def mortal(monkeypatch):
    """Let ``AtOnce`` live where a process would die."""

    def die():
        raise Died

    monkeypatch.setattr(sweep_stand_ins, "end_process", die)
    return AtOnce()


@pytest.fixture
def store(tmp_path):
    with ResultStore(tmp_path / "results.jsonl") as store:
        yield store


def texts(store, said, digest="a"):
    """What the store has of utterances, by their ids."""
    keys = {u.id: result_key(digest, u, SETTINGS) for u in said}
    return {name: store.get(key).text for name, key in keys.items() if store.has(key)}


def n_lines(store):
    return len(store.path.read_text().splitlines())


def all_but(said, *lacking, digest="a"):
    return {u.id: f"{digest} heard {u.id}" for u in said if u not in lacking}


@pytest.mark.parametrize("kind", EXECUTORS)
def test_any_executor_does_it(kind, store, tmp_path):
    said = utterances(tmp_path, *[""] * 7)
    with EXECUTORS[kind]() as executor:
        failures = run_sweep(tasks(said, 2), executor, store, run=hear)
    assert failures == ()
    assert texts(store, said) == all_but(said)
    assert n_lines(store) == 7
    assert [n_heard(u) for u in said] == [1] * 7


def test_the_executor_holds_no_more_than_it_is_to(store, tmp_path):
    class Holding(ThreadPoolExecutor):
        most = 0

        def submit(self, fn, /, *args):
            self.futures = [f for f in getattr(self, "futures", []) if not f.done()]
            self.futures.append(super().submit(fn, *args))
            self.most = max(self.most, len(self.futures))
            return self.futures[-1]

    said = utterances(tmp_path, *[""] * 30)
    with Holding(2) as executor:
        run_sweep(tasks(said), executor, store, run=hear, at_once=3)
    assert 1 < executor.most <= 3
    assert texts(store, said) == all_but(said)


def test_nothing_is_done_or_written_twice(store, tmp_path):
    said = utterances(tmp_path, *[""] * 4)
    twice = [*tasks(said, 2), *tasks(said, 4)]
    assert run_sweep(twice, AtOnce(), store, run=hear, at_once=1) == ()
    assert n_lines(store) == 4
    assert [n_heard(u) for u in said] == [1] * 4

    # Done at the same time, both come back.
    again = utterances(tmp_path / "..", "", "")
    other = [*tasks(again, digest="b"), *tasks(again, digest="b")]
    assert run_sweep(other, AtOnce(), store, run=hear, at_once=4) == ()
    assert n_lines(store) == 4 + 2


def test_what_the_store_has_is_not_done_again(store, tmp_path):
    said = utterances(tmp_path, *[""] * 4)
    run_sweep(tasks(said[:3]), AtOnce(), store, run=hear)
    assert run_sweep(tasks(said, 2), AtOnce(), store, run=hear) == ()
    assert [n_heard(u) for u in said] == [1] * 4


def test_a_worker_that_dies_takes_nothing_along(store, tmp_path):
    said = utterances(tmp_path, "", "", "die-once", "", "", "")
    with Pool(2) as pool:
        assert run_sweep(tasks(said, 3), pool, store, run=hear) == ()
    assert texts(store, said) == all_but(said)
    assert n_lines(store) == 6
    assert n_heard(said[2]) == 2


def test_an_utterance_that_ends_workers_is_found(store, tmp_path):
    said = utterances(tmp_path, "", "die", "", "", "", "")
    with Pool(2) as pool:
        (failure,) = run_sweep(tasks(said, 3), pool, store, run=hear)
    assert (failure.id, failure.exit_code) == ("u1", 6)
    assert failure.key == result_key("a", said[1], SETTINGS)
    assert "its worker was lost: killed by the system" in failure.reason
    assert texts(store, said) == all_but(said, said[1])
    assert n_heard(said[1]) <= 4


def test_an_artifact_that_ends_workers_is_given_up(store, tmp_path, mortal):
    bad = utterances(tmp_path, *["die"] * 40)
    (tmp_path / "good").mkdir()
    good = utterances(tmp_path / "good", *[""] * 8)
    both = [*tasks(bad, 4, "bad"), *tasks(good, 4, "good")]
    failures = run_sweep(both, mortal, store, run=hear, at_once=2)
    assert {failure.id for failure in failures} == {u.id for u in bad}
    assert "given up after" in failures[-1].reason
    assert texts(store, good, "good") == all_but(good, digest="good")
    # Each that was tried cost a process.
    assert sum(map(n_heard, bad)) <= 4 * OF_ARTIFACT


def test_an_artifact_that_recovers_is_not_given_up(store, tmp_path, mortal):
    said = utterances(tmp_path, *["die-once"] * 3 * OF_ARTIFACT, "")
    assert run_sweep(tasks(said), mortal, store, run=hear, at_once=4) == ()
    assert texts(store, said) == all_but(said)


@pytest.mark.parametrize("kind", EXECUTORS)
def test_a_mistake_costs_its_own_utterance(kind, store, tmp_path):
    said = utterances(tmp_path, "", "raise", "", "")
    with EXECUTORS[kind]() as executor:
        (failure,) = run_sweep(tasks(said, 4), executor, store, run=hear)
    assert (failure.id, failure.exit_code) == ("u1", 1)
    assert failure.reason.startswith("ZeroDivisionError: no sound (sweep_stand_ins.py, line ")
    assert texts(store, said) == all_but(said, said[1])


@pytest.mark.parametrize("kind", EXECUTORS)
def test_an_artifact_that_cannot_be_opened_is_tried_once(kind, store, tmp_path):
    said = utterances(tmp_path, *["no-library"] * 20)
    (tmp_path / "good").mkdir()
    good = utterances(tmp_path / "good", "")
    both = [*tasks(said, 2, "bad"), *tasks(good, 1, "good")]
    with EXECUTORS[kind]() as executor:
        failures = run_sweep(both, executor, store, run=hear, at_once=2)
    assert sorted(failure.id for failure in failures) == sorted(u.id for u in said)
    assert {failure.exit_code for failure in failures} == {3}
    assert "pip install 'whisperq-edge[openvino]'" in failures[-1].reason
    assert sum(map(n_heard, said)) <= 4
    assert texts(store, good, "good") == all_but(good, digest="good")


def test_what_a_task_says_of_an_utterance_is_passed_on(store, tmp_path):
    said = utterances(tmp_path, "", "unusable", "mute")
    failures = run_sweep(tasks(said, 3), AtOnce(), store, run=hear)
    assert [(f.id, f.reason) for f in failures] == [
        ("u1", "it is broken"),
        ("u2", "no result came back"),
    ]
    assert texts(store, said) == all_but(said, *said[1:])


def test_an_executor_that_stays_broken_ends_the_sweep(store, tmp_path):
    said = utterances(tmp_path, "", "die", *[""] * 8)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        with pytest.raises(WorkersError, match=r"takes no more work .*what is done is kept"):
            run_sweep(tasks(said), executor, store, run=hear, at_once=1)
    assert texts(store, said) == all_but(said, *said[1:])


@pytest.mark.parametrize("error", [RemoteError("the cluster is gone"), WorkersError("none left")])
def test_workers_that_are_gone_end_the_sweep(error, store, tmp_path):
    class Gone(AtOnce):
        def submit(self, fn, /, *args):
            future = super().submit(fn, *args)
            if self.n_submitted > 2:
                future = Future()
                future.set_exception(error)
            return future

    said = utterances(tmp_path, *[""] * 6)
    with pytest.raises(type(error), match=str(error)):
        run_sweep(tasks(said), Gone(), store, run=hear, at_once=1)
    assert n_lines(store) == 2


def test_an_interrupt_keeps_what_is_done(store, tmp_path):
    said = utterances(tmp_path, *[""] * 9)
    executor = AtOnce()

    def interrupt(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_sweep(tasks(said), executor, store, run=hear, on_progress=interrupt, at_once=4)
    # The other three had come back as well, and were not looked at yet.
    assert n_lines(store) == executor.n_submitted == 4
    assert run_sweep(tasks(said), executor, store, run=hear) == ()
    assert [n_heard(u) for u in said] == [1] * 9


def test_an_interrupt_cancels_what_waits(store, tmp_path):
    said = utterances(tmp_path, *[""] * 3)
    waiting = [Future() for _ in range(2)]

    class Half(AtOnce):
        def submit(self, fn, /, *args):
            future = super().submit(fn, *args)
            return future if self.n_submitted == 1 else waiting[self.n_submitted - 2]

    def interrupt(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_sweep(tasks(said), Half(), store, run=hear, on_progress=interrupt, at_once=3)
    assert all(future.cancelled() for future in waiting)


def test_a_store_that_refuses_ends_the_sweep(store, tmp_path, monkeypatch):
    def refuse(result):
        raise WhisperqError("no space left")

    said = utterances(tmp_path, *[""] * 3)
    monkeypatch.setattr(store, "append", refuse)
    with pytest.raises(WhisperqError, match="no space left"):
        run_sweep(tasks(said), AtOnce(), store, run=hear)


def test_progress_counts_sound_and_failures(store, tmp_path, mortal):
    said = utterances(tmp_path, "", "unusable", "die", "")
    seen = []
    run_sweep(tasks(said), mortal, store, run=hear, on_progress=seen.append)
    assert (seen[-1].n_done, seen[-1].n_total, seen[-1].n_failed) == (4, 4, 2)
    assert [progress.n_done for progress in seen] == [1, 2, 3, 4]
    assert seen[-1].left_s == 0.0


def test_the_time_left_follows_what_each_artifact_takes(tmp_path):
    """Two artifacts of 20 s each; the first computes 1 s for a second, the second is unknown."""
    now_s = 0.0
    said = utterances(tmp_path, *[""] * 4)
    first, second = tasks(said, 2, "a"), tasks(said, 2, "b")
    pace = Pace([*first, *second], lambda utterance: 5.0, lambda: now_s)
    assert pace.read() == (0, 8, 0, 0.0, 40.0, None)

    now_s = 6.0  # two workers, which lost 1 s each
    pace.finish(first[0], [result(5.0, 5.0), result(5.0, 5.0)], 0)
    assert pace.read() == (2, 8, 0, 10.0, 40.0, pytest.approx(30 * 6 / 10))

    now_s = 8.0  # the second takes a quarter
    pace.finish(second[0], [result(5.0, 1.25)], 1)
    left_s = (10 * 1.0 + 10 * 0.25) * 8 / 11.25
    assert pace.read() == (4, 8, 1, 20.0, 40.0, pytest.approx(left_s))


def result(duration_s, compute_s):
    return Result("", "", SETTINGS, "", "", duration_s, compute_s, compute_s)


def test_a_neighbour_of_a_killer_is_cleared():
    """An executor may lose what waits at a worker along with what killed it."""
    queue = SweepQueue(tasks(utterances(Path(), "", "", "", ""), 2))
    killer, neighbour = queue.take(is_idle=True), queue.take(is_idle=False)
    for _ in range(LOST_OFTEN):
        assert queue.lose(killer, 1, "died") is None
        assert queue.lose(neighbour, 1, "died") is None
        taken = [queue.take(is_idle=False), queue.take(is_idle=False)]
    assert taken == [None, None]  # both wait until nothing else is done
    alone = queue.take(is_idle=True)
    assert alone is killer and alone.is_alone and queue.take(is_idle=False) is None
    assert queue.lose(killer, 1, "died") is None
    one, other = queue.take(is_idle=True), queue.take(is_idle=True)
    assert [piece.task.utterances[0].id for piece in (one, other)] == ["u0", "u1"]
    assert queue.lose(one, 1, "died").reason == "died"
    queue.trust(other)
    assert queue.take(is_idle=True) is neighbour
    queue.trust(neighbour)
    assert not queue


def test_an_artifact_that_works_again_is_not_held_any_longer():
    queue = SweepQueue(tasks(utterances(Path(), *[""] * 8)))
    for _ in range(OF_ARTIFACT):
        assert queue.lose(queue.take(is_idle=False), 1, "died") is None
    assert queue.take(is_idle=False) is None  # all of it waits for its sake
    alone = queue.take(is_idle=True)
    assert alone.is_alone
    queue.trust(alone)
    rest = [queue.take(is_idle=False) for _ in range(6)]
    assert None not in rest and not any(piece.is_alone for piece in rest)
