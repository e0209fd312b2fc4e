"""A board over SSH without a board: asyncssh's server in a thread, real processes in a folder."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import asyncssh


class SshBoard:
    """A server on this machine whose "board" is a home folder.

    Attributes:
        home: Of whoever logs in.
        port: It listens on, also after ``restart``.
        host_key: What it shows.
        commands: All that it was asked to run.
        n_received: Bytes of files that were sent to it.
        cut_after: Cut all connections once so many bytes of files have come in; None for never.
    """

    def __init__(self, home: Path, *, key: asyncssh.SSHKey, path: str | None = None) -> None:
        self.home, self.port = home, 0
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.commands: list[str] = []
        self.n_received = 0
        self.cut_after: int | None = None
        self._path = path or os.environ["PATH"]
        self.admit(key)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._connections: set[asyncssh.SSHServerConnection] = set()
        self._server: asyncssh.SSHAcceptor | None = None

    def __enter__(self) -> SshBoard:
        self.home.mkdir(parents=True, exist_ok=True)
        self._thread.start()
        self.restart()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
        self._call(self._loop.shutdown_asyncgens())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.kill_runs()

    @property
    def root(self) -> Path:
        """Where everything that is sent goes."""
        return self.home / ".cache" / "whisperq-edge" / "ssh"

    @property
    def known_hosts_line(self) -> str:
        key = self.host_key.export_public_key().decode()
        return f"[127.0.0.1]:{self.port} {key}"

    def admit(self, key: asyncssh.SSHKey) -> None:
        """Let this key in, and no other."""
        public = key.export_public_key().decode()
        self._authorized_keys = asyncssh.import_authorized_keys(public)

    def restart(self) -> None:
        """Listen, on the same port as before."""
        self._call(self._listen())

    def stop(self) -> None:
        """Cut what there is and listen no more: the board is off the network."""
        self._call(self._close())

    def cut(self) -> None:
        """Close every connection without a word; new ones are welcome."""
        self._call(self._cut())

    def kill_runs(self, signal_number: int = signal.SIGKILL) -> None:
        """Kill the runs and what tends them, as a switch-off would."""
        # What tends a run first: it would write down how the run ended, which no switch-off does.
        for number in self.processes():
            with suppress(OSError):
                os.kill(number, signal_number)
        for path in self.root.glob("runs/*"):
            with suppress(OSError, ValueError):
                os.killpg(int((path / "group").read_text()), signal_number)

    def processes(self, verb: str = "") -> list[int]:
        """The numbers of the processes that do this for us on the board; without a verb, of all."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                words = (process / "cmdline").read_bytes().split(b"\0")
                ours = any(str(self.root).encode() in word for word in words)
                if ours and (not verb or verb.encode() in words):
                    found.append(int(process.name))
        return found

    def _call(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _listen(self) -> None:
        board = self

        class Server(asyncssh.SSHServer):
            def connection_made(self, connection):
                self._connection = connection
                board._connections.add(connection)

            def connection_lost(self, exc):
                board._connections.discard(self._connection)

            def begin_auth(self, username):
                self._connection.set_authorized_keys(board._authorized_keys)
                return True

        class Files(asyncssh.SFTPServer):
            def map_path(self, path):
                return board.place(super().map_path(path))

            def write(self, file_obj, offset, data):
                done = super().write(file_obj, offset, data)
                board.n_received += len(data)
                if board.cut_after is not None and board.n_received >= board.cut_after:
                    board.cut_after = None
                    board._loop.create_task(board._cut())
                return done

        self._server = await asyncssh.listen(
            "127.0.0.1",
            self.port,
            server_factory=Server,
            server_host_keys=[self.host_key],
            process_factory=self._run,
            sftp_factory=Files,
            encoding=None,
            reuse_address=True,
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server:
            self._server.close()
            await self._cut()
            await self._server.wait_closed()
            self._server = None

    async def _cut(self) -> None:
        for connection in list(self._connections):
            connection.abort()

    async def _run(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        """A session of its own for each command, which is hung up on when the command has ended.

        sshd does so where there is a terminal. Nobody is killed when the connection is lost.
        """
        command = process.command or "true"
        self.commands.append(command)
        child = subprocess.Popen(
            self.shell(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.home,
            env={"HOME": str(self.home), "PATH": self._path, "LANG": "C.UTF-8"},
            start_new_session=True,
        )
        # The library closes these pipes with the connection, as sshd does.
        await process.redirect(stdin=child.stdin, stdout=child.stdout, stderr=child.stderr)
        status = await asyncio.to_thread(child.wait)
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGHUP)
        process.exit(status)
        await process.wait_closed()

    def shell(self, command: str) -> list[str]:
        """What runs a command."""
        return ["/bin/sh", "-c", command]

    def place(self, path: bytes) -> bytes:
        """Where a file of the board is on this machine."""
        return path
