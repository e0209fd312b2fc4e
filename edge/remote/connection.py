"""One SSH connection to a board; every error of the SSH library is translated here."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import MissingDependencyError, RemoteError
from .host import Host
from .host_key import explain_host_key, is_of_another_kind

if TYPE_CHECKING:
    import asyncssh

CONNECT_TIMEOUT_S = 20
# A board that has left the network is noticed after a minute of silence.
KEEPALIVE_S, KEEPALIVES = 15, 4
_PIECE = 1 << 20
# Where programs are looked for is set up for people who log in, and hardly for commands: Homebrew's
# folder is in no such list, and an older system has its newer Python beside the default one.
_PYTHONS = "python3 python3.14 python3.13 python3.12 python3.11 /opt/homebrew/bin/python3"
_FIND_PYTHON = (
    f"for python in {_PYTHONS}; do "
    '"$python" -c "import sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null '
    '&& exec "$python" - "$@"; done; exit 126'
)
_NO_PYTHON = 126


class UnreachableError(RemoteError):
    """Nobody answers, or the connection was lost: it may help to try again."""


class Connection:
    """An open connection; lost, it raises ``UnreachableError`` whatever is asked of it.

    Attributes:
        host: The board.
    """

    def __init__(self, host: Host, ssh: asyncssh.SSHClientConnection) -> None:
        self.host = host
        self._ssh = ssh
        self._python: str | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, host: Host, key: Path | None) -> AsyncIterator[Connection]:
        """Connect, as ``ssh`` would: by its known_hosts, its configuration, its keys and its agent.

        Args:
            host: The board.
            key: A private key to use in place of those.

        Raises:
            UnreachableError: Nobody answers there.
            RemoteError: The board is not the one that is known, or lets nobody in with these keys.
            MissingDependencyError: asyncssh is not installed.
        """
        try:
            import asyncssh
        except ModuleNotFoundError:
            raise MissingDependencyError("asyncssh", "ssh", "profiling over SSH") from None
        options: dict[str, Any] = {"username": host.user} if host.user else {}
        if key:
            options |= {"client_keys": [str(key)], "agent_path": None}
        if host.port:
            options["port"] = host.port
        try:
            ssh = await asyncssh.connect(
                host.name,
                preferred_auth="publickey",  # nobody is there to type a password
                connect_timeout=CONNECT_TIMEOUT_S,
                login_timeout=CONNECT_TIMEOUT_S,
                keepalive_interval=KEEPALIVE_S,
                keepalive_count_max=KEEPALIVES,
                **options,
            )
        except asyncssh.HostKeyNotVerifiable:
            raise RemoteError(await explain_host_key(host)) from None
        except asyncssh.PermissionDenied:
            with_key = f"the key {key}" if key else "any of your keys"
            raise RemoteError(
                f"{host} does not let you in with {with_key}; run: ssh-copy-id "
                f"{f'-i {key} ' if key else ''}{host.ssh_arguments} (a key with a passphrase has "
                "to be in the agent: ssh-add)"
            ) from None
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
            raise RemoteError(f"the key {key} cannot be used: {error}; try ssh-add") from None
        except FileNotFoundError as error:
            raise RemoteError(f"there is no key {error.filename}") from None
        except (OSError, TimeoutError, asyncssh.DisconnectError) as error:
            # One or the other, by which side is quicker, where only keys of other kinds are known.
            parted = isinstance(error, (asyncssh.KeyExchangeFailed, asyncssh.ConnectionLost))
            if parted and await is_of_another_kind(host):
                raise RemoteError(await explain_host_key(host)) from None
            reason = str(error) or f"no answer within {CONNECT_TIMEOUT_S} s"
            raise UnreachableError(f"{host} cannot be reached: {reason}") from None
        try:
            yield cls(host, ssh)
        finally:
            ssh.close()
            with suppress(TimeoutError):  # which a board that has left the network would take
                await asyncio.wait_for(ssh.wait_closed(), 2)
            ssh.abort()

    async def ask(self, verb: str, **arguments: object) -> Any:  # noqa: ANN401 (any JSON)
        """Run a verb of ``board_side.py`` there; its answer.

        Raises:
            UnreachableError: The connection was lost.
            RemoteError: The board has no Python that would do, or the verb failed.
        """
        with self._translated():
            async with self._start(verb, arguments) as process:
                answer, complaint = await process.communicate()
                status = process.exit_status
        if status is None:
            raise UnreachableError(f"the connection to {self.host} was lost")
        if status == _NO_PYTHON:
            raise RemoteError(
                f"{self.host} has no Python of 3.11 or newer; run there: "
                "sudo apt-get install python3 python3-venv (Debian 12, Raspberry Pi OS 12 or newer)"
            )
        if status:
            last = complaint.decode(errors="replace").strip().splitlines()[-1:]
            raise RemoteError(f"{self.host}: {last[0] if last else f'exit status {status}'}")
        found = json.loads(answer)
        if verb == "facts":
            self._python = found["python"]
        return found

    async def follow(self, root: str, name: str, offset: int) -> AsyncGenerator[bytes, None]:
        """What a run writes, from a byte on, piece by piece, until it ends.

        Raises:
            UnreachableError: The connection was lost.
        """
        with self._translated():
            async with self._start(
                "follow", {"root": root, "name": name, "offset": offset}
            ) as process:
                while piece := await process.stdout.read(_PIECE):
                    yield piece
                await process.wait_closed()
                if process.exit_status is None:
                    raise UnreachableError(f"the connection to {self.host} was lost")

    async def send(self, source: Path, target: str, offset: int) -> AsyncGenerator[int, None]:
        """Append a file from a byte on to one on the board; yields how many bytes each step was.

        Raises:
            UnreachableError: The connection was lost.
            RemoteError: The board refuses it; its disk is full, say.
        """
        with self._translated():
            async with self._ssh.start_sftp_client() as sftp:
                mode = "ab" if offset else "wb"
                with source.open("rb") as content:
                    content.seek(offset)
                    async with sftp.open(target, mode) as remote:
                        while piece := await asyncio.to_thread(content.read, _PIECE):
                            await remote.write(piece)
                            yield len(piece)

    async def fetch(self, source: str, target: Path) -> None:
        """Copy a file of the board to here, whole or not at all.

        Raises:
            UnreachableError: The connection was lost.
            RemoteError: There is no such file.
        """
        partial = target.with_name(f".{target.name}.part")
        try:
            with self._translated():
                async with self._ssh.start_sftp_client() as sftp:
                    await sftp.get(source, str(partial))
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)

    @asynccontextmanager
    async def _start(
        self, verb: str, arguments: dict[str, object]
    ) -> AsyncIterator[asyncssh.SSHClientProcess[bytes]]:
        words = [verb, json.dumps(arguments)]
        if self._python:
            command = shlex.join([self._python, "-", *words])
        else:
            command = shlex.join(["sh", "-c", _FIND_PYTHON, "sh", *words])
        program = files(__package__).joinpath("board_side.py").read_bytes()
        async with self._ssh.create_process(command, encoding=None) as process:
            process.stdin.write(program)
            process.stdin.write_eof()
            yield process

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Raise the library's errors as ours."""
        import asyncssh

        lost = (
            asyncssh.DisconnectError,
            asyncssh.SFTPConnectionLost,
            asyncssh.SFTPNoConnection,
            asyncssh.ChannelOpenError,
            ConnectionError,
            TimeoutError,
            BrokenPipeError,
        )
        try:
            yield
        except lost as error:
            raise UnreachableError(f"the connection to {self.host} was lost: {error}") from None
        except asyncssh.Error as error:
            raise RemoteError(f"{self.host}: {error.reason}") from None
