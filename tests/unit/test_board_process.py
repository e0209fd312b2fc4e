"""What a process says of itself: memory, its peak, and the time it waited for a processor."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
MIB = 2**20


def in_a_process(code):
    """Run code in a process of its own, where nothing else takes memory; what it prints as JSON."""
    text = f"import json\nfrom whisperq_edge.edge.profiling.process import *\n{code}"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@linux
def test_memory_and_its_peak():
    before, held, after, peak = in_a_process(
        "before = resident_bytes()\n"
        f"block = bytearray(b'x') * (64 * {MIB})\n"
        "held = resident_bytes()\n"
        "del block\n"
        "print(json.dumps([before, held, resident_bytes(), peak_resident_bytes()]))"
    )
    assert 63 * MIB < held - before < 70 * MIB
    assert after < held - 60 * MIB
    assert peak > held - MIB  # Linux adds up the pages of each processor, now and then


@linux
def test_a_peak_can_begin_anew():
    is_reset, old, new, later = in_a_process(
        f"block = bytearray(b'x') * (64 * {MIB})\n"
        "del block\n"
        "old = peak_resident_bytes()\n"
        "is_reset, new = reset_peak(), peak_resident_bytes()\n"
        f"block = bytearray(b'x') * (32 * {MIB})\n"
        "print(json.dumps([is_reset, old, new, peak_resident_bytes()]))"
    )
    if not is_reset:
        pytest.skip("this kernel does not let the peak begin anew")
    assert new < old - 60 * MIB
    assert new + 31 * MIB < later < old


@linux
def test_a_peak_that_cannot_begin_anew_says_so(monkeypatch, tmp_path):
    from whisperq_edge.edge.profiling import process

    monkeypatch.setattr(process, "_SELF", tmp_path / "nothing")
    assert process.reset_peak() is False
    assert process.waited_s() is None


@linux
def test_waiting_is_counted_over_all_threads():
    """Four threads on one processor: while one runs, three wait."""
    if not Path("/proc/self/schedstat").exists():
        pytest.skip("this kernel does not count it")
    waited, ran = in_a_process(
        "import hashlib, os, threading, time\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "def spin():\n"
        "    while True: hashlib.sha256(bytes(5_000_000)).digest()  # which lets others run\n"
        "before = waited_s()\n"
        "for _ in range(3): threading.Thread(target=spin, daemon=True).start()\n"
        "while time.process_time() < 0.5: pass\n"
        "print(json.dumps([waited_s() - before, time.process_time()]), flush=True)\n"
        "os._exit(0)"
    )
    assert waited > ran


@linux
def test_a_kernel_that_counts_nothing_says_so(monkeypatch, tmp_path):
    from whisperq_edge.edge.profiling import process

    thread = tmp_path / "task" / "1"
    thread.mkdir(parents=True)
    (thread / "schedstat").write_text("0 0 0\n")
    monkeypatch.setattr(process, "_SELF", tmp_path)
    assert process.waited_s() is None
    (thread / "schedstat").write_text("2000 1500000000 1\n")
    for number, text in (("2", "1000 500000000 3\n"), ("3", None)):  # the last has just ended
        thread = tmp_path / "task" / number
        thread.mkdir()
        if text:
            (thread / "schedstat").write_text(text)
    assert process.waited_s() == 2.0
