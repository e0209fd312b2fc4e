"""This package as a wheel, so that the board runs what runs here."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from importlib import metadata
from pathlib import Path

from ..errors import RemoteError

DISTRIBUTION = "whisperq-edge"
# The earliest that a zip file can hold: the same content has to be the same bytes every time.
_EPOCH = 315532800
_OF_THE_INSTALLER = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}


def own_wheel(folder: Path) -> Path:
    """Make the wheel; the same package gives the same bytes.

    Args:
        folder: Where it goes.

    Raises:
        RemoteError: It cannot be built.
    """
    package = Path(__file__).parents[2]
    if (package / "pyproject.toml").is_file():  # which is in no wheel, so this is a checkout
        return _build(package, folder)
    return pack(metadata.distribution(DISTRIBUTION), folder)


def pack(distribution: metadata.Distribution, folder: Path) -> Path:
    """Put an installed package, pure Python, back into the wheel that it came from.

    Args:
        distribution: Installed.
        folder: Where the wheel goes.
    """
    stem = f"{distribution.name.replace('-', '_')}-{distribution.version}"
    record_name = f"{stem}.dist-info/RECORD"
    wheel = folder / f"{stem}-py3-none-any.whl"
    record = []
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(distribution.files or ()):
            outside = path.parts[0] == ".."  # the program, which pip makes anew
            of_installer = path.name in _OF_THE_INSTALLER and ".dist-info" in path.parts[0]
            if outside or of_installer or path.suffix == ".pyc":
                continue
            content = Path(str(path.locate())).read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
            record.append(f"{path.as_posix()},sha256={digest.decode()},{len(content)}")
            _add(archive, path.as_posix(), content)
        _add(archive, record_name, "\n".join([*record, f"{record_name},,", ""]).encode())
    return wheel


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def _build(checkout: Path, folder: Path) -> Path:
    """Build the wheel of a checkout and leave nothing in it."""
    with tempfile.TemporaryDirectory() as scratch:
        # What a build leaves in the checkout gets into the next one's wheel (setuptools).
        configuration = Path(scratch, "setup.cfg")
        configuration.write_text(f"[build]\nbuild_base={scratch}\n[egg_info]\negg_base={scratch}\n")
        done = subprocess.run(
            [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps",
             "--disable-pip-version-check", "--wheel-dir", str(folder), str(checkout)],
            env={
                **os.environ,
                "SOURCE_DATE_EPOCH": str(_EPOCH),
                "DIST_EXTRA_CONFIG": str(configuration),
            },
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
    wheels = list(folder.glob(f"{DISTRIBUTION.replace('-', '_')}-*.whl"))
    if done.returncode or len(wheels) != 1:
        raise RemoteError(f"the wheel of {checkout} cannot be built: {last_line(done.stderr)}")
    return wheels[0]


def last_line(text: str) -> str:
    """The last that a program said, for a message."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it says nothing"
