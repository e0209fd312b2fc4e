"""Sweeps on a real scheduler of dask and its workers, on this machine."""

from __future__ import annotations

import signal
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from whisperq_edge import __version__
from whisperq_edge.edge.accuracy import cluster as cluster_module
from whisperq_edge.edge.accuracy.cluster import cluster_executor
from whisperq_edge.edge.accuracy.plan import plan_tasks
from whisperq_edge.edge.accuracy.pool import Pool
from whisperq_edge.edge.accuracy.result import Settings
from whisperq_edge.edge.accuracy.store import ResultStore
from whisperq_edge.edge.accuracy.sweep import run_sweep
from whisperq_edge.edge.accuracy.task import close_session, result_key
from whisperq_edge.edge.accuracy.utterance import SpeechSet, Utterance
from whisperq_edge.edge.artifact import MANIFEST, sha256
from whisperq_edge.edge.errors import MissingDependencyError, RemoteError
from whisperq_edge.tests.sweep_stand_ins import hear, tasks_with_files

from ..dask_cluster import DaskCluster

pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two workers that come back when they are killed; not to be changed.

    One death is enough for a task to be given up, where dask's default is four: each takes seconds.
    """
    once = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
    with DaskCluster(tmp_path_factory.mktemp("dask"), **once) as cluster:
        for _ in range(2):
            cluster.add_worker("--nanny")
        yield cluster


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """A scheduler without workers."""
    with DaskCluster(tmp_path_factory.mktemp("bare")) as cluster:
        yield cluster


@pytest.fixture
def bare(scheduler):
    """The same, for tests that bring their own workers, which go with the test."""
    yield scheduler
    scheduler.end_workers()


@pytest.fixture
def store(tmp_path):
    with ResultStore(tmp_path / "results.jsonl") as store:
        yield store


@pytest.fixture
def impatient(monkeypatch):
    """Nobody is waited for very long."""
    monkeypatch.setattr(cluster_module, "CONNECT_S", 1.0)


def await_workers(cluster, n):
    """Until there are so many."""
    with cluster_executor(cluster.address) as workers:
        workers.prepare([])
        while workers.width < n:
            workers.prepare([])


def lacking(store, planned):
    """The utterances that the store has nothing of, by their ids."""
    return [
        utterance.id
        for task in planned
        for utterance in task.utterances
        if not store.has(result_key(task.digest, utterance, task.settings))
    ]


def n_lines(store):
    return len(store.path.read_text().splitlines())


def one_line(raised):
    text = str(raised.value)
    assert "\n" not in text
    return text


def test_a_cluster_does_it(cluster, store, tmp_path):
    planned = tasks_with_files(tmp_path, *[""] * 20, size=2)
    seen = []
    with cluster_executor(cluster.address) as workers:
        assert run_sweep(planned, workers, store, run=hear, on_progress=seen.append) == ()
    assert lacking(store, planned) == [] and n_lines(store) == 20
    assert (seen[-1].n_done, seen[-1].n_total) == (20, 20)


def test_a_worker_that_is_killed_midway_loses_nothing(bare, store, tmp_path):
    planned = tasks_with_files(tmp_path, *["brief"] * 40, size=2)
    first, _ = [bare.add_worker("--no-nanny") for _ in range(2)]
    await_workers(bare, 2)

    def kill(progress):
        if progress.n_done == 10:
            first.kill()

    with cluster_executor(bare.address) as workers:
        assert run_sweep(planned, workers, store, run=hear, on_progress=kill) == ()
    assert first.wait(30) == -signal.SIGKILL
    assert lacking(store, planned) == [] and n_lines(store) == 40


def test_an_utterance_that_ends_workers_is_found(cluster, store, tmp_path):
    planned = tasks_with_files(tmp_path, "", "die", "die-once", *[""] * 5)
    with cluster_executor(cluster.address) as workers:
        (failure,) = run_sweep(planned, workers, store, run=hear)
    assert (failure.id, failure.exit_code) == ("u1", 6)
    assert failure.reason.startswith("its worker was lost: ")
    assert lacking(store, planned) == ["u1"] and n_lines(store) == 7


def test_the_same_words_wherever_they_are_made(artifact, recordings, cluster, tmp_path):
    """The bundled model hears the same in this process, in a pool, and on a cluster."""
    said = [
        Utterance(path.stem, str(path), sha256(path), "", "somebody")
        for path in sorted(recordings.glob("*.flac"))[:6]
    ]
    executors = {
        "serial": lambda: ThreadPoolExecutor(1),
        "pool": lambda: Pool(2),
        "cluster": lambda: cluster_executor(cluster.address),
    }
    made = {}
    for name, executor in executors.items():
        with ResultStore(tmp_path / name / "results.jsonl") as store:
            speech = SpeechSet("bundled", tuple(said))
            planned = plan_tasks([artifact], speech, Settings(), store, task_s=0.01)
            assert len(planned) > 2
            with executor() as workers:
                assert run_sweep(planned, workers, store) == ()
            made[name] = {result.key: (result.id, result.text.encode()) for result in store}
    close_session()
    assert len(made["serial"]) == 6 and all(text for _, text in made["serial"].values())
    assert made["pool"] == made["serial"]
    assert made["cluster"] == made["serial"]


def test_an_interrupt_leaves_the_cluster_free(cluster, store, tmp_path):
    planned = tasks_with_files(tmp_path, "", *["brief"] * 40)

    def interrupt(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), cluster_executor(cluster.address) as workers:
        run_sweep(planned, workers, store, run=hear, on_progress=interrupt)
    assert 1 <= n_lines(store) <= 10
    with cluster_executor(cluster.address) as workers:
        assert run_sweep(planned, workers, store, run=hear) == ()
    assert lacking(store, planned) == [] and n_lines(store) == 41


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("tcp://127.0.0.1:1", "no dask scheduler at tcp://127.0.0.1:1 (Timed out"),
        ("127.0.0.1", "no dask scheduler at 127.0.0.1 (missing port number"),
        ("nowhere://127.0.0.1:1", "(unknown address scheme 'nowhere'"),
    ],
)
def test_an_address_where_nobody_is(address, said, impatient):
    with pytest.raises(RemoteError) as raised:
        cluster_executor(address)
    assert said in one_line(raised)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10])
def test_an_address_where_somebody_else_is(answer, impatient):
    """One accepts and says nothing, the other speaks another language."""
    held = []

    def serve(server):
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            held.append(connection)
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        threading.Thread(target=serve, args=(server,), daemon=True).start()
        with pytest.raises(RemoteError) as raised:
            cluster_executor(address)
        assert f"there is no dask scheduler at {address}" in one_line(raised)
        server.shutdown(socket.SHUT_RDWR)
    for connection in held:
        connection.close()


def test_workers_are_waited_for_and_not_for_ever(bare, store, tmp_path):
    planned = tasks_with_files(tmp_path, "")
    with cluster_executor(bare.address, patience_s=1) as workers:
        with pytest.raises(RemoteError) as raised:
            run_sweep(planned, workers, store, run=hear)
    assert f"has had no workers for 1 s; start one on each machine: dask worker {bare.address}" in (
        one_line(raised)
    )


def test_a_cluster_that_loses_all_workers_ends_the_sweep(bare, store, tmp_path):
    planned = tasks_with_files(tmp_path, *["brief"] * 40)
    worker = bare.add_worker("--no-nanny")
    await_workers(bare, 1)

    def kill(progress):
        if progress.n_done == 3:
            worker.kill()

    with cluster_executor(bare.address, patience_s=2) as workers:
        with pytest.raises(RemoteError, match="no workers for 2 s"):
            run_sweep(planned, workers, store, run=hear, on_progress=kill)
    assert 3 <= n_lines(store) < 40


def site(folder, module, text):
    """A folder of modules that a worker finds before any other."""
    (folder / "site" / module).parent.mkdir(parents=True)
    (folder / "site" / module).write_text(text)
    return {"PYTHONPATH": str(folder / "site")}


NO_PACKAGE = ("whisperq_edge/__init__.py", "raise ModuleNotFoundError")
ANOTHER_VERSION = ("sitecustomize.py", "import whisperq_edge\nwhisperq_edge.__version__ = '0.0.1'")


BLIND = (
    "sitecustomize.py",
    "from pathlib import Path\n"
    "sees = Path.is_file\n"
    "Path.is_file = lambda path: path.name != 'artifact.json' and sees(path)",
)


def test_a_worker_of_another_version_is_refused(bare, store, tmp_path):
    planned = tasks_with_files(tmp_path, "")
    bare.add_worker("--no-nanny", **site(tmp_path, *ANOTHER_VERSION))
    with cluster_executor(bare.address) as workers:
        with pytest.raises(RemoteError) as raised:
            run_sweep(planned, workers, store, run=hear)
        # It might get a task before it is asked.
        with pytest.raises(RemoteError, match=r"whisperq-edge 0\.0\.1, and this is"):
            workers.submit(pow, 2, 2).result(timeout=30)
    assert "worker tcp://127.0.0.1:" in one_line(raised)
    assert f"has whisperq-edge 0.0.1, and this is {__version__}" in one_line(raised)


def test_a_worker_without_the_package_is_refused(bare, store, tmp_path):
    planned = tasks_with_files(tmp_path, "")
    bare.add_worker("--no-nanny", **site(tmp_path, *NO_PACKAGE))
    with cluster_executor(bare.address) as workers:
        with pytest.raises(RemoteError) as raised:
            run_sweep(planned, workers, store, run=hear)
    assert f"has no whisperq-edge; install {__version__}" in one_line(raised)


def test_a_worker_that_comes_later_is_asked_as_well(bare, store, tmp_path):
    planned = tasks_with_files(tmp_path, *["brief"] * 200)
    bare.add_worker("--no-nanny")

    def add(progress):
        if progress.n_done == 1:
            bare.add_worker("--no-nanny", **site(tmp_path, *BLIND))
            await_workers(bare, 2)

    with cluster_executor(bare.address) as workers:
        with pytest.raises(RemoteError, match=r"does not see .*artifact\.json"):
            run_sweep(planned, workers, store, run=hear, on_progress=add)
    assert 1 <= n_lines(store) < 200


@pytest.mark.parametrize("what", ["manifest", "another manifest", "sound"])
def test_a_worker_without_the_files_is_refused(what, cluster, store, tmp_path):
    planned = tasks_with_files(tmp_path, "")
    manifest = Path(planned[0].artifact) / MANIFEST
    sound = Path(planned[0].utterances[0].audio)
    if what == "another manifest":
        manifest.write_text("another")
    else:
        {"manifest": manifest, "sound": sound}[what].unlink()
    with cluster_executor(cluster.address) as workers:
        with pytest.raises(RemoteError) as raised:
            run_sweep(planned, workers, store, run=hear)
    missing = sound if what == "sound" else manifest
    assert f"does not see {missing} as it is here" in one_line(raised)
    assert n_lines(store) == 0


def test_a_scheduler_that_is_lost_ends_the_sweep(tmp_path, tmp_path_factory, impatient):
    """First it says nothing, then it is gone."""
    with DaskCluster(tmp_path_factory.mktemp("lost")) as own:
        own.add_worker("--no-nanny")
        for end, said in [(signal.SIGSTOP, "does not answer"), (signal.SIGKILL, "is gone")]:
            (tmp_path / end.name).mkdir()
            planned = tasks_with_files(tmp_path / end.name, *["brief"] * 100)

            def lose(progress, end=end):
                if progress.n_done == 5:
                    own.scheduler.send_signal(end)

            with (
                ResultStore(tmp_path / end.name / "results.jsonl") as store,
                pytest.raises(RemoteError) as raised,
                cluster_executor(own.address) as workers,
            ):
                run_sweep(planned, workers, store, run=hear, on_progress=lose)
            assert said in one_line(raised)
            assert 5 <= n_lines(store) < 100
            own.scheduler.send_signal(signal.SIGCONT)


def test_a_scheduler_that_is_lost_is_not_waited_for(store, tmp_path_factory, tmp_path, impatient):
    planned = tasks_with_files(tmp_path, "")
    with DaskCluster(tmp_path_factory.mktemp("lost")) as own:
        with pytest.raises(RemoteError, match="is gone"), cluster_executor(own.address) as workers:
            own.scheduler.kill()
            run_sweep(planned, workers, store, run=hear)


def test_a_block_that_fails_does_not_wait(bare):
    bare.add_worker("--no-nanny")
    await_workers(bare, 1)
    with pytest.raises(ZeroDivisionError), cluster_executor(bare.address) as workers:
        assert workers.submit(pow, 2, 2).result(timeout=30) == 4
        running = workers.submit(time.sleep, 600)
        raise ZeroDivisionError
    assert running.cancelled()


def test_dask_is_asked_for_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'whisperq-edge\[cluster\]'"):
        cluster_executor("tcp://127.0.0.1:8786")
