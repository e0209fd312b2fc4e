"""A file system of an ARM computer with what the package needs, made once and kept.

``python tests/arm/emulated_root.py`` makes it: Debian's packages come by apt from a mirror, and the
wheels that pip would choose on a board come by pip. Nothing of it is run meanwhile, so that it
takes seconds and no privileges: the packages are unpacked, and their scripts left out.

It lies in ``WHISPERQ_ARM_ROOTS``, or in the user's cache, under a name that is made from all that
goes into it: another list of packages is another folder. Delete the folder to get newer packages.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import IO

CHECKOUT = Path(__file__).resolve().parents[2]

MIRROR = "http://deb.debian.org/debian"
SUITE = "bookworm"  # Raspberry Pi OS of the boards, with Python 3.11 and glibc 2.36
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# A shell with what a command from another computer uses, and Python with what makes environments.
DEBIAN_PACKAGES = (
    *("coreutils", "dash", "grep", "gzip", "sed", "tar"),
    *("libgomp1", "libstdc++6", "python3", "python3-venv"),
)
PYTHON = (3, 11)
GLIBC = 36
# What a board installs to run and to export ONNX and TensorFlow Lite.
EXTRAS = ("verify", "onnx", "tflite")
TESTED_WITH = ("pytest",)  # of the extra "dev": the contract suite runs there too

SITE = Path("usr/local/lib/python3.11/dist-packages")  # where Debian's Python looks
PROGRAM = Path("usr/local/bin/whisperq-edge")
# Where an emulated board has what is not of this file system, which it cannot write to.
MOUNT_POINTS = ("board", "dev", "opt/whisperq_edge", "proc", "root", "sys", "tmp")
PROGRAM_TEXT = """\
#!/usr/bin/python3
from whisperq_edge.edge.cli import main

main()
"""


def cached_root() -> Path | None:
    """The file system, if it has been made."""
    root = _place()
    return root if root.is_dir() else None


def make_root() -> Path:
    """Make the file system unless it is there; two at once make it once.

    Raises:
        CalledProcessError: apt or pip failed, whose own words are on the screen.
    """
    root = _place()
    root.parent.mkdir(parents=True, exist_ok=True)
    with (root.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.is_dir():
            # Beside its place, then renamed: what is interrupted leaves nothing that looks whole.
            with tempfile.TemporaryDirectory(dir=root.parent, prefix="unfinished-") as folder:
                unfinished = Path(folder) / "root"
                _unpack_debian(unfinished, Path(folder) / "apt")
                _install_wheels(unfinished / SITE)
                _compile(unfinished)
                (unfinished / PROGRAM).parent.mkdir(parents=True, exist_ok=True)
                (unfinished / PROGRAM).write_text(PROGRAM_TEXT)
                (unfinished / PROGRAM).chmod(0o755)
                unfinished.rename(root)
    return root


def requirements() -> list[str]:
    """What pip installs on a board, as pyproject.toml says it."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"]]
    for extra in EXTRAS:
        wanted += project["optional-dependencies"][extra]
    wanted += [
        line
        for line in project["optional-dependencies"]["dev"]
        if re.split(r"\W", line)[0] in TESTED_WITH
    ]
    return [line for line in wanted if not line.startswith(project["name"])]


def _place() -> Path:
    ingredients = (Path(__file__).read_text(), *requirements())
    key = hashlib.sha256("\n".join(ingredients).encode()).hexdigest()[:16]
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    roots = os.environ.get("WHISPERQ_ARM_ROOTS") or caches / "whisperq-edge-tests"
    return Path(roots) / f"arm64-{key}"


def _unpack_debian(root: Path, work: Path) -> None:
    """Resolve, fetch and check the packages with apt, as if for an empty computer; unpack them."""
    for folder in ("lists/partial", "archives/partial"):
        (work / folder).mkdir(parents=True)
    (work / "status").touch()
    (work / "sources.list").write_text(
        f"deb [arch=arm64 signed-by={KEYRING}] {MIRROR} {SUITE} main\n"
    )
    options = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "APT::Install-Recommends": "0",
        "APT::Sandbox::User": "",
        "Debug::NoLocking": "1",
        "Dir::Cache": work,
        "Dir::Etc::SourceList": work / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": work / "lists",
        "Dir::State::status": work / "status",
    }
    apt = ["apt-get", "-qq", *(f"--option={name}={value}" for name, value in options.items())]
    _run(*apt, "update")
    _run(*apt, "install", "--yes", "--download-only", *DEBIAN_PACKAGES)
    # Debian's two trees are one: what a package puts into /bin belongs into /usr/bin.
    for name in ("bin", "lib", "sbin"):
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for package in sorted((work / "archives").glob("*.deb")):
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as p:
            _run("tar", "-x", "--keep-directory-symlink", "-C", root, stdin=p.stdout)
        if p.returncode:
            raise subprocess.CalledProcessError(p.returncode, p.args)
    for name in MOUNT_POINTS:
        (root / name).mkdir(parents=True, exist_ok=True)


def _install_wheels(site: Path) -> None:
    """Choose wheels for the board, not for this computer, and unpack them.

    pip takes a platform's name literally, so every age of glibc that the board can run is named.
    It judges markers such as ``python_version`` by the Python that runs it.
    """
    tags = [f"manylinux_2_{age}_aarch64" for age in range(GLIBC, 16, -1)]
    platforms = [f"--platform={tag}" for tag in (*tags, "manylinux2014_aarch64")]
    version = "".join(map(str, PYTHON))
    _run(
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--root-user-action=ignore", "--no-compile", "--only-binary=:all:", *platforms),
        *(f"--python-version={version}", "--implementation=cp", f"--target={site}"),
        *requirements(),
    )


def _compile(root: Path) -> None:
    """Save the emulated Python from compiling its modules, if this one is of its version."""
    if sys.version_info[:2] == PYTHON:
        folders = (root / "usr/lib/python3.11", root / SITE)
        _run(sys.executable, "-m", "compileall", "-q", "-j0", f"-s{root}", "-p/", *folders)


def _run(*command: str | Path, stdin: int | IO[bytes] | None = subprocess.DEVNULL) -> None:
    subprocess.run(command, stdin=stdin, check=True)


if __name__ == "__main__":
    print(make_root())
