"""The doctor: libraries probed in processes of their own, the machine, the verdict."""

from __future__ import annotations

import json
import platform
from dataclasses import replace

import pytest

from whisperq_edge.edge.cli import surroundings
from whisperq_edge.edge.cli.doctor import diagnose
from whisperq_edge.edge.cli.export_index import DATA_VARIABLE, record_export
from whisperq_edge.edge.cli.libraries import LIBRARIES, Library, LibraryState, failure, probe
from whisperq_edge.edge.cli.surroundings import export_disk, memory_problem, microphones
from whisperq_edge.edge.cli.wheels import Interpreter, no_wheel, this_interpreter
from whisperq_edge.edge.profiling.read_board import read_board

PI = Interpreter("Linux", "aarch64", 64, (2, 36), 11)  # Raspberry Pi OS (64-bit) on Debian 12


def test_a_healthy_machine(cli):
    pytest.importorskip("onnx", reason="the 8-bit test is made with onnx")
    ended = cli("doctor", "--json")
    found = json.loads(ended.out)
    assert (ended.status, found["problems"]) == (0, [])
    assert found["int8"] in ("exact", "clamps")
    assert all(library["version"] for library in found["libraries"])
    assert not [library for library in found["libraries"] if library["remedy"]]
    assert found["board"]["usable_cores"] >= 1
    assert found["disk"]["free_bytes"] > 0
    assert found["microphones"]["untested"] is None


def test_the_verdict_is_the_last_line(call):
    ended = call("doctor")
    assert ended.out.splitlines()[-1] == "everything works"


def test_an_import_that_kills_is_survived():
    code = "import os, signal; os.kill(os.getpid(), signal.SIGILL)"
    assert failure(["-c", code]) == "killed by SIGILL"


def test_an_import_that_fails_says_why():
    assert failure(["-c", "raise ImportError('libfoo.so.1 is missing')"]) == (
        "ImportError: libfoo.so.1 is missing"
    )
    assert failure(["-c", "import sys; sys.exit(3)"]) == "exit status 3"


def test_absence_is_a_problem_only_where_the_package_needs_it():
    assert probe(Library("no_such_module", "x")).problem == "not installed"
    assert probe(Library("no_such_module", "x", "onnx")).problem is None


def test_a_broken_library_is_not_an_absent_one(tmp_path, monkeypatch):
    (tmp_path / "broken_library.py").write_text("raise OSError('wrong processor')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    state = probe(Library("broken_library", "broken-library", "onnx"))
    assert (state.problem, state.remedy) == ("OSError: wrong processor", None)


def test_a_missing_c_library_says_how_to_get_it(tmp_path, monkeypatch):
    """sounddevice without PortAudio, as on a Raspberry Pi after nothing but pip."""
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (library,) = [library for library in LIBRARIES if library.module == "sounddevice"]
    state = probe(library)
    assert state.problem == "OSError: PortAudio library not found"
    assert state.remedy == "run: sudo apt-get install libportaudio2"
    assert microphones().untested.startswith("listening to a microphone needs PortAudio")


def test_a_machine_whose_numpy_kills_is_still_described(cli, tmp_path):
    """As on a processor without the instructions of its wheel: the doctor itself goes on."""
    (tmp_path / "numpy.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGILL)")
    ended = cli("doctor", "--json", env={"PYTHONPATH": str(tmp_path)})
    found = json.loads(ended.out)
    assert ended.status == 1
    assert found["problems"][0].startswith("numpy: killed by SIGILL; its wheel needs instructions")
    here = read_board()
    assert found["board"]["cores"][0]["name"] == here.cores[0].name
    assert found["board"]["memory_bytes"] == here.memory_bytes


@pytest.mark.parametrize(
    ("library", "here", "remedy"),
    [
        (Library("no_module", "onnx", "onnx"), PI, "run: pip install 'whisperq-edge[onnx]'"),
        (Library("no_module", "soxr"), PI, "run: pip install whisperq-edge"),
        (
            Library("no_module", "coremltools", "coreml"),
            PI,
            "no wheel for Linux aarch64; export on a Mac or on x86-64; only Macs run it fast",
        ),
    ],
)
def test_what_is_missing_says_how_to_get_it(library, here, remedy):
    assert probe(library, here).remedy == remedy


def test_a_library_that_lost_a_part_is_installed_again(tmp_path, monkeypatch):
    (tmp_path / "half_a_library.py").write_text("import its_other_half")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    state = probe(Library("half_a_library", "half-a-library"))
    assert state.problem == "ModuleNotFoundError: No module named 'its_other_half'"
    assert state.remedy == "run: pip install --force-reinstall 'half-a-library'"


@pytest.mark.parametrize("library", [library.distribution for library in LIBRARIES])
def test_what_is_installed_here_has_a_wheel(library):
    """The table of wheels against the one machine that can be asked."""
    assert no_wheel(library, this_interpreter()) is None


@pytest.mark.parametrize(
    ("distribution", "here", "reason"),
    [
        # Raspberry Pi OS on Debian 12 and 13; what is not for it has no wheel.
        ("onnxruntime", PI, None),
        ("openvino", PI, None),
        ("ai-edge-litert", PI, None),
        ("onnxruntime-qnn", PI, None),
        ("coremltools", PI, "no wheel for Linux aarch64; export on a Mac"),
        ("openvino", replace(PI, release=(2, 41), python=13), None),
        # Debian 11 and Ubuntu 20.04.
        ("onnxruntime", replace(PI, release=(2, 31)), None),
        (
            "openvino",
            replace(PI, release=(2, 31)),
            "no wheel for glibc 2.31; it needs glibc 2.35, as Debian 12 and Ubuntu 22.04 have, "
            "or use --target onnx",
        ),
        ("onnxruntime-qnn", replace(PI, release=(2, 31)), "no wheel for glibc 2.31; it needs"),
        ("openvino", replace(PI, machine="x86_64", release=(2, 31)), None),
        # A 32-bit system, of which the kernel may say aarch64 as well.
        ("onnxruntime", replace(PI, bits=32), "no wheel for 32 bits; install a 64-bit system"),
        ("ai-edge-litert", replace(PI, bits=32, machine="armv7l"), "no wheel for 32 bits"),
        # Alpine.
        ("onnxruntime", replace(PI, release=None), "no wheel for this C library; use a system"),
        # Python 3.14 and later.
        ("onnxruntime", replace(PI, python=14), None),
        ("onnxruntime", replace(PI, python=15), "no wheel for Python 3.15; use Python 3.14"),
        ("onnx", replace(PI, python=15), None),
        (
            "coremltools",
            replace(PI, machine="x86_64", python=14),
            "no wheel for Python 3.14; use Python 3.13",
        ),
        # Macs, of Apple's processors and of Intel's.
        ("onnxruntime", Interpreter("macOS", "arm64", 64, (13, 6), 13), None),
        (
            "onnxruntime",
            Interpreter("macOS", "arm64", 64, (13, 6), 14),
            "no wheel for macOS 13.6; it needs 14.0",
        ),
        ("onnxruntime", Interpreter("macOS", "x86_64", 64, (15, 0), 14), "no wheel for Python"),
        (
            "ai-edge-litert",
            Interpreter("macOS", "x86_64", 64, (15, 0), 12),
            "no wheel for macOS x86_64; use --target onnx",
        ),
        ("onnxruntime-qnn", Interpreter("macOS", "arm64", 64, (15, 0), 12), "no wheel for macOS"),
        # What has wheels everywhere, or can be built.
        ("numpy", replace(PI, bits=32), None),
        # Anything else.
        ("onnxruntime", replace(PI, machine="riscv64"), "no wheel for Linux riscv64"),
    ],
)
def test_which_wheels_there_are(distribution, here, reason):
    found = no_wheel(distribution, here)
    assert found is None if reason is None else found.startswith(reason)


def test_this_interpreter_is_known():
    here = this_interpreter()
    assert here.bits == 64
    assert (here.release is not None) == (
        platform.libc_ver()[0] == "glibc" or here.system == "macOS"
    )


def test_the_folder_of_exports_need_not_be_there(tmp_path, monkeypatch):
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "not" / "yet"))
    disk = export_disk()
    assert (disk.folder, disk.problem) == (str(tmp_path / "not" / "yet"), None)
    assert not (tmp_path / "not").exists()


def test_a_file_in_place_of_the_folder_is_a_problem(tmp_path, monkeypatch):
    (tmp_path / "data").write_text("")
    (tmp_path / "data").chmod(0o755)
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "data"))
    problem = f"{tmp_path / 'data'} cannot be written; set WHISPERQ_EDGE_DATA to a folder that can"
    assert export_disk().problem == problem
    assert diagnose([]).problems == (problem,)


def test_a_folder_of_somebody_else_is_a_problem(tmp_path, monkeypatch):
    """Imitated: root, who may run the tests, writes everywhere."""
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    monkeypatch.setattr(surroundings.os, "access", lambda *_: False)
    assert export_disk().problem.startswith(f"{tmp_path} cannot be written")


def test_a_full_disk_is_a_problem(tmp_path, monkeypatch):
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    monkeypatch.setattr(surroundings, "LEAST_DISK_BYTES", 2**62)
    assert export_disk().problem.endswith(f"MiB are free for exports in {tmp_path}")


@pytest.mark.parametrize(
    ("available", "limit", "problem"),
    [
        (2**30, None, None),
        (None, None, None),
        (64 * 2**20, None, "only 64 MiB of memory are left"),
        (2**30, 100 * 2**20, "only 100 MiB of memory are left"),
        (128 * 2**20, 128 * 2**20, None),
    ],
)
def test_too_little_memory_is_a_problem(available, limit, problem):
    found = memory_problem(available, limit)
    assert found is None if problem is None else found.startswith(problem)


def test_microphones_are_listed_in_another_process(tmp_path, monkeypatch):
    """A list, a crash of the sound system, and its chatter."""
    (tmp_path / "sounddevice.py").write_text(
        "import os, signal, types\n"
        "print('ALSA lib chatter')\n"
        "if 'CRASH' in os.environ: os.kill(os.getpid(), signal.SIGSEGV)\n"
        "class PortAudioError(Exception): pass\n"
        "default = types.SimpleNamespace(device=(0, 1))\n"
        "def query_hostapis(): return [{'name': 'ALSA'}]\n"
        "def query_devices(): return [dict(index=0, name='USB microphone', hostapi=0, "
        "max_input_channels=1, default_samplerate=48000.0), dict(index=1, name='HDMI', hostapi=0, "
        "max_input_channels=0, default_samplerate=48000.0)]\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert microphones() == surroundings.Microphones(("USB microphone",), None)
    monkeypatch.setenv("CRASH", "1")
    assert microphones() == surroundings.Microphones((), "killed by SIGSEGV")


def test_problems_are_counted(tmp_path):
    broken = tmp_path / "artifact"
    broken.mkdir()
    (broken / "artifact.json").write_text("{}")
    record_export(broken)
    states = [
        LibraryState("numpy", "2.0", None, None),
        LibraryState("soxr", "1.0", None, "killed by SIGILL"),
    ]
    found = diagnose(states)
    assert found.int8 == "not tested"
    assert found.problems[0] == "soxr: killed by SIGILL"
    assert "format version" in found.problems[1]


def test_problems_name_their_remedies():
    """Each is one line that says what to do."""
    found = diagnose([LibraryState("soxr", None, None, "not installed", "run: pip install it")])
    assert found.problems == ("soxr: not installed; run: pip install it",)
    assert found.microphones.untested == "needs sounddevice"


def test_what_is_absent_is_shown_with_its_remedy(call, monkeypatch):
    from whisperq_edge.edge.cli import doctor

    libraries = (Library("no_module", "coremltools", "coreml"), Library("no_other", "soxr"))
    monkeypatch.setattr(doctor, "LIBRARIES", libraries)
    ended = call("doctor")
    assert ended.status == 1
    assert "absent; run: pip install 'whisperq-edge[coreml]'" in ended.out
    assert "problem: soxr: not installed; run: pip install whisperq-edge\n1 problems" in ended.out
