"""A sound system without hardware: PulseAudio with a sink that nobody hears, and ALSA above it.

What is played into the sink comes out of its monitor, which is the default microphone. A program
that is to listen to it runs in a process of its own, in ``environment``: PortAudio reads that when
it starts.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import soundfile

from .system_programs import missing_programs

PROGRAMS = ("pulseaudio", "paplay", "pactl", "libportaudio")
START_S = 60  # a machine that tests in parallel is slow

CONFIGURATION = """
</usr/share/alsa/alsa.conf>
pcm.!default {{ type pulse device "loop.monitor" hint {{ show on description "Default" }} }}
ctl.!default {{ type pulse }}
pcm.filemic {{
    type file
    slave.pcm "null"
    file "/dev/null"
    infile "{infile}"
    format "raw"
    hint {{ show on description "A file as a microphone" }}
}}
"""


class PulseAudio:
    """One sound server, which a test may kill and start again.

    Attributes:
        environment: For the programs that are to find it.
        infile: What the ALSA device "filemic" reads: 16 kHz, mono, 16 bit, without a header.
    """

    def __init__(self, folder: Path) -> None:
        self.infile = folder / "filemic.raw"
        configuration = folder / "asound.conf"
        configuration.write_text(CONFIGURATION.format(infile=self.infile))
        runtime = folder / "run"
        runtime.mkdir(mode=0o700)
        self.environment = {
            **os.environ,
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(runtime),
            "PULSE_RUNTIME_PATH": str(runtime / "pulse"),
            "ALSA_CONFIG_PATH": str(configuration),
        }
        self.environment.pop("PULSE_SERVER", None)
        self._log = folder / "pulseaudio.log"
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server; returns when it answers."""
        with self._log.open("ab") as log:
            self._server = subprocess.Popen(
                [
                    *("pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1"),
                    *("--use-pid-file=no", "-L", "module-native-protocol-unix"),
                    *("-L", "module-null-sink sink_name=loop rate=16000 channels=1"),
                ],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_S
        while self._run("pactl", "info").returncode:
            if self._server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"PulseAudio does not start: {self._log.read_text()}")
            time.sleep(0.05)

    def kill(self) -> None:
        """What unplugging a device looks like: the server is gone, without a word."""
        if self._server is not None:
            self._server.kill()
            self._server.wait()

    def play(self, recording: Path) -> None:
        """Play a sound file to its end, in real time."""
        done = self._run("paplay", "--device=loop", str(recording))
        if done.returncode:
            pytest.fail(f"paplay: {done.stderr.decode()}")

    def _run(self, *command: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            command, env=self.environment, capture_output=True, timeout=START_S, check=False
        )


@contextmanager
def pulse_audio() -> Iterator[PulseAudio]:
    """A running server; skips the test where its programs are missing."""
    if missing := missing_programs(PROGRAMS):
        pytest.skip(f"a sound system without hardware needs {', '.join(missing)}")
    # Not below pytest's folder: the path of a socket has at most 107 characters.
    with tempfile.TemporaryDirectory(prefix="pulse-", ignore_cleanup_errors=True) as folder:
        server = PulseAudio(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.kill()


def raw_copy(recording: Path, raw: Path) -> None:
    """Write a 16 kHz recording as 16-bit samples without a header."""
    samples, _ = soundfile.read(recording, dtype="int16")
    raw.write_bytes(samples.tobytes())
