"""The pool of processes: how wide it is, and that it neither breaks nor leaves anything behind."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from whisperq_edge.edge.accuracy.pool import Pool, pool_width
from whisperq_edge.edge.accuracy.store import ResultStore
from whisperq_edge.edge.accuracy.workers import WorkerLost
from whisperq_edge.edge.errors import ArtifactError, MissingDependencyError
from whisperq_edge.edge.profiling.fit import MARGIN, needed_bytes
from whisperq_edge.edge.profiling.process import resident_bytes
from whisperq_edge.edge.profiling.system_tree import SystemTree
from whisperq_edge.tests.sweep_stand_ins import end_process, n_heard, utterances

from ..memory_cap import run_capped

PATIENCE_S = 30


def machine(folder, *, free=None, limit=None):
    """A machine that has so much memory, in bytes."""
    files = {}
    if free is not None:
        files["proc/meminfo"] = f"MemAvailable: {free // 1024} kB\n"
    if limit is not None:
        files |= {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": f"{limit}\n"}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return SystemTree(folder)


@pytest.mark.parametrize(
    ("cores", "threads", "width"), [(8, 1, 8), (8, 2, 4), (8, 3, 2), (2, 4, 1), (1, 1, 1)]
)
def test_cores_are_shared_out(cores, threads, width, artifact, tmp_path):
    assert pool_width([artifact], threads, tree=machine(tmp_path), cores=cores) == width


def test_free_memory_limits_the_width(artifact, tmp_path):
    need = MARGIN * needed_bytes(artifact)
    for n, expected in [(0.5, 1), (1.01, 1), (3.5, 3), (7.99, 7), (99, 8)]:
        tree = machine(tmp_path, free=int(n * need) + 1024)
        assert pool_width([artifact], 1, tree=tree, cores=8) == expected


def test_a_control_group_limits_the_width(artifact, tmp_path):
    need = MARGIN * needed_bytes(artifact)
    limit = int(resident_bytes() + 3.5 * need)  # this process is in the group as well
    tree = machine(tmp_path, free=int(100 * need), limit=limit)
    assert pool_width([artifact], 1, tree=tree, cores=8) == 3


def test_the_largest_artifact_counts(tmp_path, monkeypatch):
    needs = {"small": 1e9, "large": 4e9}
    monkeypatch.setattr("whisperq_edge.edge.accuracy.pool.needed_bytes", needs.get)
    tree = machine(tmp_path, free=10_000_000_000)
    assert pool_width(["small"], 1, tree=tree, cores=16) == 9
    assert pool_width(["small", "large", "small"], 1, tree=tree, cores=16) == 2


def test_a_real_control_group_limits_the_width(artifact):
    code = (
        "import sys; from pathlib import Path\n"
        "from whisperq_edge.edge.accuracy.pool import pool_width\n"
        "from whisperq_edge.edge.artifact import Artifact\n"
        "print(pool_width([Artifact.read(Path(sys.argv[1]))], 1, cores=64))"
    )
    need = MARGIN * needed_bytes(artifact)
    done = run_capped([sys.executable, "-c", code, artifact.folder], int(4 * need))
    assert done.status == 0, done.err
    assert int(done.out) == 3


def test_calls_come_back():
    with Pool(2, threads=3) as pool:
        assert [pool.submit(pow, 2, n).result() for n in range(5)] == [1, 2, 4, 8, 16]
        assert list(pool.map(abs, [-1, -2, -3])) == [1, 2, 3]
        assert pool.submit(int, "ff", base=16).result() == 255
        assert pool.submit(os.getenv, "OPENBLAS_NUM_THREADS").result() == "1"
        assert pool.submit(os.getenv, "OMP_NUM_THREADS").result() == "3"
        assert pool.width == 2
    with pytest.raises(RuntimeError, match="shutdown"):
        pool.submit(pow, 2, 2)


def test_the_environment_of_the_program_stays(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with Pool(1) as pool:
        assert pool.submit(os.getenv, "OMP_NUM_THREADS").result() == "1"
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ


def fail(error, *args):
    raise error(*args)


def test_errors_come_back():
    with Pool(1) as pool:
        with pytest.raises(ArtifactError, match="it is gone"):
            pool.submit(fail, ArtifactError, "it is gone").result()
        # Its constructor takes other arguments than its message, so it cannot be read back.
        with pytest.raises(RuntimeError, match=r"MissingDependencyError: .* needs onnx"):
            pool.submit(fail, MissingDependencyError, "onnx", "onnx", "this").result()
        with pytest.raises((pickle.PicklingError, AttributeError)):
            pool.submit(lambda: 1).result()
        with pytest.raises((TypeError, RuntimeError), match="pickle"):
            pool.submit(threading.Lock).result()
        before = pool.submit(os.getpid).result()
        assert pool.submit(os.getpid).result() == before  # all of it in the same process


def test_a_dead_worker_costs_its_own_call():
    with Pool(2) as pool:
        slow = pool.submit(time.sleep, 1)
        assert pool.submit(pow, 1, 1).result() == 1
        for call, reason in [
            ((end_process,), "killed by the system, which is out of memory"),
            ((os.abort,), r"crashed \(SIGABRT\)"),
            ((os._exit, 3), "ended with status 3"),
        ]:
            with pytest.raises(WorkerLost, match=reason):
                pool.submit(*call).result()
        assert slow.result() is None
        assert pool.submit(pow, 2, 2).result() == 4


def test_memory_ends_a_worker_and_not_the_program(tmp_path):
    """The program is the larger process of the two when memory ends."""
    script = tmp_path / "large.py"
    script.write_text(
        "import operator\n"
        "from whisperq_edge.edge.accuracy.pool import Pool\n"
        "if __name__ == '__main__':\n"
        "    ballast = b'x' * 250_000_000\n"
        "    with Pool(1) as pool:\n"
        "        print(pool.submit(operator.mul, b'x', 400_000_000).exception())\n"
        "        print(pool.submit(pow, 2, 2).result())\n"
    )
    done = run_capped([sys.executable, script], 450_000_000)
    assert (done.status, done.killed) == (0, 1), done.err
    assert done.out.splitlines() == [
        "killed by the system, which is out of memory most likely",
        "4",
    ]


def test_a_worker_that_cannot_begin_is_told(tmp_path):
    """A script without the line that keeps its processes from running it as well."""
    script = tmp_path / "script.py"
    script.write_text(
        "from whisperq_edge.edge.accuracy.pool import Pool\n"
        "with Pool(1) as pool:\n"
        "    print(pool.submit(pow, 2, 2).result())\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    last = done.stderr.splitlines()[-1]
    assert "WorkersError: a worker could not begin: it ended with status 1" in last
    assert last.endswith("if __name__ == '__main__':")


@contextmanager
def program(folder, *texts):
    """Sweeps in a session of its own; its processes are found by that."""
    process = subprocess.Popen(
        [sys.executable, "-m", "whisperq_edge.tests.sweep_program", folder, *texts],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_until(is_so):
    end_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < end_s, "it never was"
        time.sleep(0.02)


def in_session(number):
    """The processes of a session, but for those that only wait to be counted."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, fields = path.read_text().rpartition(")")
        except OSError:
            continue
        state, _, _, session = fields.split()[:4]
        if int(session) == number and state != "Z":
            found.append(name)
    return found


def test_an_interrupt_ends_it_all_and_keeps_what_is_done(tmp_path):
    said = utterances(tmp_path, "", "", "sleep", "sleep", "", "")
    with program(tmp_path, *[u.text for u in said]) as process:
        wait_until(lambda: all(map(n_heard, said[:4])))  # both workers are busy now
        os.killpg(process.pid, signal.SIGINT)  # as the terminal does it: workers as well
        _, errors = process.communicate(timeout=PATIENCE_S)
        wait_until(lambda: not in_session(process.pid))
    assert process.returncode == -signal.SIGINT
    assert errors.count("Traceback") == 1 and "KeyboardInterrupt" in errors
    with ResultStore(tmp_path / "results.jsonl") as store:
        assert sorted(result.id for result in store) == ["u0", "u1"]


def test_an_interrupt_is_not_for_workers():
    with Pool(1) as pool:
        starting = pool.submit(os.getpid)
        wait_until(multiprocessing.active_children)
        (process,) = multiprocessing.active_children()
        os.kill(process.pid, signal.SIGINT)  # Python has hardly begun there
        assert starting.result() == process.pid
        running = pool.submit(time.sleep, 0.3)
        wait_until(running.running)
        os.kill(process.pid, signal.SIGINT)
        assert running.result() is None
        assert pool.submit(os.getpid).result() == process.pid


def test_a_killed_program_leaves_no_workers(tmp_path):
    said = utterances(tmp_path, "sleep", "sleep")
    with program(tmp_path, "sleep", "sleep") as process:
        wait_until(lambda: all(map(n_heard, said)))
        assert len(in_session(process.pid)) >= 3
        process.kill()
        process.wait()
        wait_until(lambda: not in_session(process.pid))


def test_shutting_down_without_waiting_ends_what_runs(tmp_path):
    pool = Pool(1)
    assert pool.submit(pow, 2, 2).result() == 4
    running, waiting = pool.submit(time.sleep, 60), pool.submit(pow, 2, 2)
    wait_until(running.running)
    pool.shutdown(wait=False)
    assert isinstance(running.exception(timeout=PATIENCE_S), WorkerLost)
    assert waiting.cancelled()


def test_shutting_down_waits_for_what_runs():
    pool = Pool(1)
    running, waiting = pool.submit(time.sleep, 0.5), pool.submit(pow, 2, 2)
    pool.shutdown(wait=True)
    assert running.result() is None and waiting.result() == 4


def test_a_block_that_fails_does_not_wait():
    with pytest.raises(ZeroDivisionError), Pool(1) as pool:
        assert pool.submit(pow, 2, 2).result() == 4
        running = pool.submit(time.sleep, 60)
        wait_until(running.running)
        raise ZeroDivisionError
    assert isinstance(running.exception(timeout=PATIENCE_S), WorkerLost)
