"""The wheels for a board that is another machine: pip is real, the packages are made here."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib import metadata

import msgspec
import pytest

from whisperq_edge.edge.errors import RemoteError
from whisperq_edge.edge.remote import board_side
from whisperq_edge.edge.remote.board_facts import BoardFacts
from whisperq_edge.edge.remote.host import Host
from whisperq_edge.edge.remote.own_wheel import own_wheel, pack
from whisperq_edge.edge.remote.wheelhouse import wheelhouse_for

HOST = Host("board", "pi")


@pytest.fixture
def here(tmp_path):
    """This machine, as a board would describe itself."""
    return msgspec.convert(board_side.facts(str(tmp_path / "root")), BoardFacts)


@pytest.fixture
def pi(here):
    """Raspberry Pi OS 12."""
    markers = {
        **here.markers,
        "platform_machine": "aarch64",
        "platform_system": "Linux",
        "sys_platform": "linux",
        "python_version": "3.11",
        "python_full_version": "3.11.2",
    }
    return msgspec.structs.replace(here, glibc="2.36", macos=None, bits=64, markers=markers)


@pytest.fixture
def index(tmp_path, monkeypatch):
    """What pip sees in place of PyPI."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def make_wheel(folder, name, version="1.0", requires=(), tag="py3-none-any"):
    path = folder / f"{name}-{version}-{tag}.whl"
    info = f"{name}-{version}.dist-info"
    headers = [
        "Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}",
        *(f"Requires-Dist: {requirement}" for requirement in requires),
    ]  # fmt: skip
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{info}/METADATA", "\n".join([*headers, ""]))
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


def names(wheels):
    return sorted("-".join(wheel.name.split("-")[:2]) for wheel in wheels)


def gathered(tmp_path, board, requires, extras=()):
    own = make_wheel(tmp_path, "own", requires=requires)
    return names(wheelhouse_for(own, extras, board, tmp_path / "cache"))


def test_conditions_are_the_boards(tmp_path, pi, index):
    """Whatever this test runs under, it is not this machine."""
    for name in ("arm", "x86", "old", "new", "asked", "unasked"):
        make_wheel(index, name)
    found = gathered(
        tmp_path,
        pi,
        (
            'arm; platform_machine == "aarch64"',
            'x86; platform_machine == "x86_64"',
            'old; python_version < "3.11"',
            'new; python_full_version == "3.11.2"',
            'asked; extra == "this"',
            'unasked; extra == "that"',
        ),
        ["this"],
    )
    assert found == ["arm-1.0", "asked-1.0", "new-1.0", "own-1.0"]


def test_wheels_are_of_the_boards_platform(tmp_path, pi, index):
    make_wheel(index, "lib", "2.0", tag="cp311-cp311-manylinux_2_28_x86_64")
    make_wheel(index, "lib", "1.9", tag="cp312-cp312-manylinux_2_28_aarch64")
    make_wheel(index, "lib", "1.8", tag="cp311-cp311-manylinux_2_39_aarch64")  # a newer glibc
    make_wheel(index, "lib", "1.7", tag="cp311-cp311-manylinux_2_27_aarch64")
    make_wheel(index, "lib", "1.6", tag="cp311-cp311-manylinux2014_aarch64")
    assert gathered(tmp_path, pi, ["lib"]) == ["lib-1.7", "own-1.0"]


def test_what_wheels_need_is_followed_to_the_end(tmp_path, pi, index):
    make_wheel(index, "a", requires=["b[more]>=1"])
    make_wheel(index, "b", requires=["c; extra == 'more'", "a"])  # a circle
    make_wheel(index, "c", requires=["d"])
    make_wheel(index, "d")
    found = gathered(tmp_path, pi, ["a"])
    assert found == ["a-1.0", "b-1.0", "c-1.0", "d-1.0", "own-1.0"]


def test_a_limit_that_is_found_late_counts_as_well(tmp_path, pi, index):
    make_wheel(index, "shared", "1.0")
    make_wheel(index, "shared", "2.0", requires=["only_for_two"])
    make_wheel(index, "only_for_two")
    make_wheel(index, "a", requires=["b"])
    make_wheel(index, "b", requires=["shared<2"])
    assert gathered(tmp_path, pi, ["shared", "a"]) == ["a-1.0", "b-1.0", "own-1.0", "shared-1.0"]


def test_a_wheel_that_does_not_exist_is_named(tmp_path, pi, index):
    make_wheel(index, "lib", tag="cp311-cp311-manylinux_2_28_x86_64")
    with pytest.raises(RemoteError, match=r"for aarch64 and Python 3\.11: .*lib"):
        gathered(tmp_path, pi, ["lib"])
    assert not list((tmp_path / "cache").iterdir())


def test_wheels_are_fetched_once(tmp_path, pi, index):
    wheel = make_wheel(index, "lib")
    own = make_wheel(tmp_path, "own", requires=["lib"])
    first = wheelhouse_for(own, [], pi, tmp_path / "cache")
    wheel.unlink()
    assert wheelhouse_for(own, [], pi, tmp_path / "cache") == first


def test_a_32_bit_system_is_told(pi):
    with pytest.raises(RemoteError, match=r"pi@board has a 32-bit system.*install a 64-bit one"):
        msgspec.structs.replace(pi, bits=32).check(HOST)


def test_another_c_library_is_told(pi):
    with pytest.raises(RemoteError, match="another C library than glibc"):
        msgspec.structs.replace(pi, glibc=None).check(HOST)


def test_a_python_without_venv_is_told(pi):
    with pytest.raises(RemoteError, match=r"run there: sudo apt-get install python3\.11-venv"):
        msgspec.structs.replace(pi, makes_environments=False).check(HOST)


def test_a_mac_takes_wheels_of_older_systems(pi):
    markers = {**pi.markers, "platform_machine": "arm64", "sys_platform": "darwin"}
    mac = msgspec.structs.replace(pi, glibc=None, macos="14.5", markers=markers)
    mac.check(HOST)
    assert {"macosx_14_0_arm64", "macosx_11_0_universal2"} <= set(mac.platforms)


def test_our_own_wheel_is_the_same_bytes_each_time(tmp_path):
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "-d", str(tmp_path), "setuptools"]
    if subprocess.run(pip, capture_output=True, check=False).returncode:
        pytest.skip("pip cannot reach what wheels are built with")
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one, two = own_wheel(tmp_path / "one"), own_wheel(tmp_path / "two")
    assert one.read_bytes() == two.read_bytes()
    with zipfile.ZipFile(one) as archive:
        assert "whisperq_edge/edge/remote/board_side.py" in archive.namelist()


def test_an_installed_package_is_packed_into_its_wheel_again(tmp_path):
    """Any of pure Python with a program; pip checks the wheel when it installs it."""
    wheel = pack(metadata.distribution("huggingface_hub"), tmp_path)
    again = tmp_path / "again"
    again.mkdir()
    assert pack(metadata.distribution("huggingface_hub"), again).read_bytes() == wheel.read_bytes()
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, "--target", str(tmp_path / "site"), str(wheel)], check=True)
    assert (tmp_path / "site" / "huggingface_hub" / "__init__.py").is_file()
    programs = {path.name for path in (tmp_path / "site" / "bin").iterdir()}
    assert "hf" in programs
