"""What runs on the board, under the board's own Python: this file, sent over the connection.

It gets its text on standard input, a verb and arguments in JSON as arguments, and answers with JSON
on standard output. The board has nothing of this package then, so it needs the standard library
alone; and an interpreter that is too old must still be able to read it.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import platform
import select
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

_POLL_MS = 300  # rare enough to disturb no measurement
_PIECE = 1 << 20


class Store:
    """The folder on the board that everything is in; each file and run is in a place of its own.

    ``files/SHA256`` are complete, ``files/SHA256.part`` not yet; ``trees/DIGEST/`` have them under
    their names; ``runs/NAME/`` belong to one command each.
    """

    def __init__(self, root: str) -> None:
        self.root = Path(root)
        self.files, self.trees = self.root / "files", self.root / "trees"

    def run(self, name: str) -> Path:
        """The folder of a run."""
        return self.root / "runs" / name


def facts(root: str | None = None) -> dict[str, Any]:
    """What has to be known of the board before anything is sent."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    store = Store(root or str(cache / "whisperq-edge" / "ssh"))
    for folder in (store.files, store.trees, store.run("")):
        folder.mkdir(parents=True, exist_ok=True)
    libc, version = platform.libc_ver()
    return {
        "root": str(store.root),
        "python": sys.executable,
        "bits": 8 * struct.calcsize("P"),  # 32 also where only the kernel has 64
        "glibc": version if libc == "glibc" else None,
        "macos": platform.mac_ver()[0] or None,
        "makes_environments": importlib.util.find_spec("ensurepip") is not None,
        "free_bytes": shutil.disk_usage(store.root).free,
        # Everything that a marker in a package's requirements may ask for (PEP 508).
        "markers": {
            "implementation_name": sys.implementation.name,
            "implementation_version": platform.python_version(),
            "os_name": os.name,
            "platform_machine": platform.machine(),
            "platform_python_implementation": platform.python_implementation(),
            "platform_release": platform.release(),
            "platform_system": platform.system(),
            "platform_version": platform.version(),
            "python_full_version": platform.python_version(),
            "python_version": ".".join(platform.python_version_tuple()[:2]),
            "sys_platform": sys.platform,
        },
    }


def missing(root: str, sizes: dict[str, int]) -> dict[str, Any]:
    """The files that are not here, how many bytes of each are, and the room that there is."""
    store, found = Store(root), {}
    for digest, size in sizes.items():
        if _size(store.files / digest) != size:  # a board that lost its power keeps empty files
            (store.files / digest).unlink(missing_ok=True)
            found[digest] = _size(store.files / (digest + ".part")) or 0
    return {"arrived": found, "free_bytes": shutil.disk_usage(store.root).free}


def assemble(root: str, digest: str, files: dict[str, str]) -> dict[str, Any]:
    """Give files that were sent their names in a folder; damaged ones are thrown away."""
    store, damaged = Store(root), []
    for content in set(files.values()):
        part = store.files / (content + ".part")
        if (store.files / content).exists():
            continue
        if not part.exists() or _digest(part) != content:
            part.unlink(missing_ok=True)
            damaged.append(content)
            continue
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(store.files / content)
    folder = store.trees / digest
    if not damaged and not folder.exists():
        staging = store.trees / f"{digest}.{os.getpid()}"
        for name, content in files.items():
            path = staging / name
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(store.files / content, path)
            except OSError:  # a file system without hard links
                shutil.copyfile(store.files / content, path)
        try:
            staging.rename(folder)
        except OSError:  # somebody else was quicker
            shutil.rmtree(staging)
    return {"damaged": damaged, "path": str(folder)}


def start(root: str, name: str, command: list[str]) -> dict[str, Any]:
    """Begin a run that no lost connection ends; not if it is under way or has succeeded.

    It begins in its folder as it was left, so that a program which resumes can resume. While
    another run is under way it does not begin: both would measure each other.
    """
    folder = Store(root).run(name)
    folder.mkdir(parents=True, exist_ok=True)
    lock = _lock(folder)
    if lock is None or _status(folder) == 0:
        return state(root, name)
    for other in folder.parent.iterdir():
        if other != folder and (found := state(root, other.name))["runs"]:
            return {**found, "runs": False, "busy": True}
    (folder / "status").unlink(missing_ok=True)
    (folder / "output").write_bytes(b"")
    sys.stdout.flush()
    begun, begins = os.pipe()
    if child := os.fork():
        os.waitpid(child, 0)
        os.close(lock)  # the grandchild holds it as well
        os.close(begins)
        os.read(begun, 1)  # until it has written down what it began, or failed to
        return state(root, name)
    os.setsid()  # away from the connection: nobody hangs up on it
    if os.fork():
        os._exit(0)
    _tend(folder, command, begins)


def _tend(folder: Path, command: list[str], begins: int) -> NoReturn:
    """Run the command to its end, holding the lock, and write down how it ended.

    Args:
        folder: Of the run.
        command: Program and arguments.
        begins: A pipe, which is closed when the run has begun.
    """
    nothing = os.open(os.devnull, os.O_RDWR)
    output = os.open(folder / "output", os.O_WRONLY | os.O_APPEND)
    for descriptor, source in ((0, nothing), (1, output), (2, output)):
        os.dup2(source, descriptor)
    status = 127
    try:
        # A group of its own, so that whoever wants to end it ends its children too.
        process = subprocess.Popen(command, cwd=folder, start_new_session=True)
        _write(folder / "group", str(process.pid))
        os.close(begins)
        status = process.wait()
        os.sync()  # what it made is to outlast a switch-off as well as the word that it succeeded
    except OSError as error:
        os.write(2, f"{error}\n".encode())
    finally:
        _write(folder / "status", str(status))
        os._exit(0)


def state(root: str, name: str) -> dict[str, Any]:
    """Whether a run is under way, and its exit status; a status of None means that it vanished."""
    folder = Store(root).run(name)
    lock = _lock(folder) if folder.is_dir() else -1
    if lock is not None and lock >= 0:
        os.close(lock)
    group = _read(folder / "group")
    return {
        "busy": False,
        "runs": lock is None,
        "status": _status(folder),  # asked for after the lock: it is written before that is let go
        "group": int(group) if group else None,
        "path": str(folder),
    }


def follow(root: str, name: str, offset: int) -> None:
    """Copy a run's output to standard output from a byte on, until the run is over."""
    folder = Store(root).run(name)
    poll = select.poll()
    poll.register(1, 0)  # only that nobody reads it any more
    with (folder / "output").open("rb") as output:
        output.seek(offset)
        while True:
            found = state(root, name)
            while piece := output.read(_PIECE):
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            if found["status"] is not None or not found["runs"] or poll.poll(_POLL_MS):
                return


def forget(root: str, name: str) -> dict[str, Any]:
    """Remove what a run has left, unless it is under way."""
    folder = Store(root).run(name)
    if not state(root, name)["runs"]:
        shutil.rmtree(folder, ignore_errors=True)
    return {}


def _lock(folder: Path) -> int | None:
    """The lock that a run holds while it lasts, taken; None if the run is under way.

    The kernel lets go of it however the run ends, so that neither a switch-off nor a process
    number that was given away again can pretend to be a run.
    """
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _status(folder: Path) -> int | None:
    text = _read(folder / "status")
    return int(text) if text else None


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None


def _write(path: Path, text: str) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text)
    temporary.replace(path)


def _digest(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as source:
        while piece := source.read(_PIECE):
            found.update(piece)
    return found.hexdigest()


VERBS = {verb.__name__: verb for verb in (facts, missing, assemble, start, state, follow, forget)}

if __name__ == "__main__":
    answer = VERBS[sys.argv[1]](**json.loads(sys.argv[2]))
    if answer is not None:
        print(json.dumps(answer))
