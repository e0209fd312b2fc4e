"""Sound between two threads: order, the file it spills to, and how it ends."""

from __future__ import annotations

import resource
import threading
import tracemalloc

import numpy as np
import pytest

from whisperq_edge.edge.audio.backlog import Backlog
from whisperq_edge.edge.errors import AudioError

SECOND = 16_000


def counting(start, stop):
    """Samples that say their place: whole numbers, which floats hold exactly up to 2**24."""
    return np.arange(start, stop, dtype=np.float32)


def taken(backlog, n):
    """All that is left, taken ``n`` at a time."""
    pieces = []
    while (samples := backlog.take(n)) is not None:
        assert 0 < len(samples) <= n
        pieces.append(samples)
    return np.concatenate(pieces) if pieces else np.empty(0, np.float32)


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Where files are spilled to."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


def test_sound_comes_back_as_it_was_put():
    with Backlog() as backlog:
        for start in range(0, 1000, 100):
            backlog.put(counting(start, start + 100))
        assert backlog.waiting_s == 1000 / SECOND
        np.testing.assert_array_equal(backlog.take(50), counting(0, 50))
        np.testing.assert_array_equal(backlog.take(120), counting(50, 170))
        assert backlog.waiting_s == 830 / SECOND
        backlog.end()
        np.testing.assert_array_equal(taken(backlog, 333), counting(170, 1000))
        assert backlog.take(1) is None


def test_a_read_takes_what_is_there_and_does_not_wait_for_more():
    with Backlog() as backlog:
        backlog.put(counting(0, 7))
        assert len(backlog.take(1000)) == 7


@pytest.mark.parametrize("n_taken", [333, 5000, 100 * SECOND])
def test_the_order_holds_through_memory_and_file(temporary, n_taken):
    """Taken slower than put at first, so that the file fills; then faster, so that it empties."""
    backlog, pieces, n_put = Backlog(held_s=1), [], 0
    with backlog:
        for n_blocks, n_reads in ((50, 3), (0, 40), (30, 1), (5, 400), (60, 0)):
            for _ in range(n_blocks):
                backlog.put(counting(n_put, n_put + 1600))
                n_put += 1600
            for _ in range(n_reads):
                if backlog.waiting_s:
                    pieces.append(backlog.take(n_taken))
        backlog.end()
        pieces.append(taken(backlog, n_taken))
    np.testing.assert_array_equal(np.concatenate(pieces), counting(0, n_put))


def test_memory_is_bounded(temporary):
    """Ten minutes, 38 MB, of which one second is held."""
    block = counting(0, 1600)
    with Backlog(held_s=1) as backlog:
        backlog.put(block.copy())
        tracemalloc.start()
        for _ in range(6000):
            backlog.put(block.copy())
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert backlog.waiting_s == pytest.approx(600.1)
        assert peak < 300_000


def test_the_file_shrinks_when_the_reader_has_caught_up(temporary):
    """The space is given back, not only at the end."""
    with Backlog(held_s=0) as backlog:
        for n in (100_000, 10):
            backlog.put(counting(0, n))
            assert backlog._spilled._end == n
            np.testing.assert_array_equal(backlog.take(n), counting(0, n))
            assert backlog._spilled._file.seek(0, 2) == 0


def test_no_file_has_a_name(temporary):
    with Backlog(held_s=0) as backlog:
        backlog.put(counting(0, 100))
        assert list(temporary.iterdir()) == []
        file = backlog._spilled._file
    assert file.closed


def test_a_full_disk_is_one_clear_error(temporary):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Backlog(held_s=1) as backlog:
        backlog.put(counting(0, SECOND))
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        try:
            with pytest.raises(AudioError, match=r"3 s of sound wait.*TMPDIR") as raised:
                for start in range(SECOND, 10 * SECOND, 1000):
                    backlog.put(counting(start, start + 1000))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert "\n" not in str(raised.value)
        backlog.fail(raised.value)
        heard = backlog.take(SECOND), backlog.take(24_000)
        np.testing.assert_array_equal(np.concatenate(heard), counting(0, SECOND + 24_000))


def test_an_error_reaches_the_reader_after_the_sound():
    with Backlog() as backlog:
        backlog.put(counting(0, 10))
        backlog.fail(AudioError("unplugged"))
        backlog.put(counting(10, 20))
        assert len(backlog.take(100)) == 10
        for _ in range(2):
            with pytest.raises(AudioError, match="unplugged"):
                backlog.take(100)


def test_the_first_error_is_the_one_that_counts():
    with Backlog() as backlog:
        backlog.fail(AudioError("first"))
        backlog.fail(AudioError("second"))
        with pytest.raises(AudioError, match="first"):
            backlog.take(1)


@pytest.mark.parametrize("how", ["put", "end", "fail", "close"])
def test_a_waiting_reader_is_woken(how):
    backlog, found = Backlog(), []

    def read():
        try:
            found.append(backlog.take(10))
        except AudioError as error:
            found.append(str(error))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    {
        "put": lambda: backlog.put(counting(0, 3)),
        "end": backlog.end,
        "fail": lambda: backlog.fail(AudioError("gone")),
        "close": backlog.close,
    }[how]()
    reader.join(60)
    (got,) = found
    if how == "put":
        np.testing.assert_array_equal(got, counting(0, 3))
    else:
        assert got == ("gone" if how == "fail" else None)


def test_closing_drops_what_waits(temporary):
    backlog = Backlog(held_s=0.01)
    backlog.put(counting(0, 100))
    backlog.put(counting(0, 1000))
    backlog.close()
    assert (backlog.take(10), backlog.waiting_s) == (None, 0)
    backlog.put(counting(0, 10))
    backlog.close()
    assert backlog.take(10) is None


def test_two_threads_at_once(temporary):
    n_total = 300 * SECOND
    generator = np.random.default_rng(0)
    sizes = generator.integers(1, 4000, 5000)

    def produce():
        start = 0
        for size in sizes:
            stop = min(start + int(size), n_total)
            backlog.put(counting(start, stop))
            start = stop
        backlog.end()

    with Backlog(held_s=2) as backlog:
        producer = threading.Thread(target=produce)
        producer.start()
        expected = 0
        while (samples := backlog.take(1600)) is not None:
            np.testing.assert_array_equal(samples, counting(expected, expected + len(samples)))
            expected += len(samples)
        producer.join()
        assert expected == n_total
