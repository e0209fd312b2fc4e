"""ARM for real: the wheels of an ARM board, run by qemu on artifacts that were made here."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from whisperq_edge.edge.artifact import PLAIN_DECODER
from whisperq_edge.edge.audio.mel import log_mel
from whisperq_edge.edge.audio.recording import load_audio
from whisperq_edge.edge.evaluation.verify import verify

from ..arm.emulated_root import CHECKOUT
from ..demo_artifacts import demo_artifact
from ..emulated_board import CORES, HOME, PACKAGE, RECORDINGS, EmulatedBoard, needs_emulation
from ..memory_group import MemoryGroup

pytestmark = pytest.mark.qemu

# With a margin in the checkpoint's own choice of words; the shortest takes one short window.
HEARD = ("11_can_i_get_a_light_roast_iced_mocha.flac", "30_jarvis.flac")
LONGEST = 300  # frames of the first
TRACE = Path("tests") / "arm" / "session_trace.py"
# One form for every kernel that the default export takes, and floats, where nothing is rounded.
FORMS = "(onnx-int8 or onnx-fp32 or tflite-int8 or tflite-fp32)"
SLOW_FORMS = "int8-32 or int8-64 or int8-128 or 1500"
ZERO_2_W_BYTES = 426 << 20  # what is left to Linux


@pytest.fixture
def emulate(tmp_path):
    """Make a board."""
    needs_emulation()

    def make(name, **options):
        return EmulatedBoard(name, tmp_path / name, **options)

    return make


@pytest.fixture
def zero_memory():
    """The memory of a Raspberry Pi Zero 2 W."""
    with ExitStack() as stack:
        try:
            group = stack.enter_context(MemoryGroup(ZERO_2_W_BYTES))
        except OSError as error:
            pytest.skip(f"this user may not limit memory here: {error}")
        yield group


def passed(done):
    """What a command printed that must have ended well."""
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def carry(artifact, board):
    """Copy an artifact into a board's home; the folder there."""
    shutil.copytree(artifact.folder, board.home / artifact.folder.name)
    return HOME / artifact.folder.name


def relative(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


@pytest.mark.parametrize("target", ["onnx", "tflite"])
@pytest.mark.parametrize("name", CORES)
def test_the_words_are_those_of_this_machine(name, target, emulate, cli, recordings):
    made = demo_artifact(target)
    board = emulate(name)
    options = ("--language", "en")
    there = board.run(
        *("whisperq-edge", "transcribe", "--artifact", carry(made, board), *options),
        *(RECORDINGS / file for file in HEARD),
    )
    files = [recordings / file for file in HEARD]
    here = cli("transcribe", "--artifact", made.folder, *options, *files)
    assert "can i get a light roast iced mocha" in here.out
    assert passed(there) == here.out


@pytest.mark.parametrize(
    ("name", "target", "precision"),
    [
        *((name, target, "int8") for name in CORES for target in ("onnx", "tflite")),
        *(("raspberry-pi-5", target, "fp32") for target in ("onnx", "tflite")),
    ],
)
def test_a_session_gives_what_it_gives_on_this_machine(
    name, target, precision, emulate, recordings, tmp_path
):
    """Equal features in; what the encoder and five steps give, with reorder and rewind between.

    Floats agree to their accuracy. Where activations are rounded at run time, two machines may
    differ by what the reference shows when it is disturbed by the noise of float arithmetic, once
    in the encoder and once in the decoder: the rule by which artifacts are judged.
    """
    made = demo_artifact(target, precision)
    board = emulate(name)
    features = log_mel(load_audio(recordings / HEARD[0]), made.manifest.dimensions.n_mels, LONGEST)
    np.save(board.home / "mel.npy", features)
    decoder = passed(
        board.run(
            *("python3", PACKAGE / TRACE, carry(made, board)),
            *(HOME / file for file in ("mel.npy", "trace.npz")),
        )
    ).strip()
    ours = tmp_path / "trace.npz"
    command = [sys.executable, CHECKOUT / TRACE, made.folder, board.home / "mel.npy", ours]
    subprocess.run(command, capture_output=True, check=True)

    limit = 1e-5
    if precision == "int8":
        parts = verify(made).parts
        limit = 1e-3 + 3 * (parts["encoder"].sensitivity + parts[decoder].sensitivity)
    here, there = np.load(ours), np.load(board.home / "trace.npz")
    assert set(there) == {"alignment", "exchanged", "prompt", "rewound", "two", "window"}
    for what in there:
        assert relative(there[what], here[what]) < limit, what
    # Only cores with dot products have a fast kernel for the other graph.
    is_plain = (target, precision) == ("onnx", "int8") and name != "raspberry-pi-5"
    assert decoder == (PLAIN_DECODER if is_plain else "decoder")


@pytest.mark.parametrize(
    ("tests", "chosen"),
    [
        ("test_session.py", f"{FORMS} and not ({SLOW_FORMS})"),
        ("test_tflite.py", "test_a_single_product_is_exact"),
        ("test_onnx.py", "test_a_single_product_is_exact and (Plain or Portable)"),
        pytest.param(
            *("test_onnx.py", "test_a_single_product_is_exact and not Plain and not Portable"),
            marks=pytest.mark.xfail(
                reason="MatMulNBits on ARM rounds otherwise than the reference: 4-bit products go "
                "to KleidiAI, which rounds rows instead of blocks; 8-bit ones are off by 1e-5"
            ),
        ),
    ],
)
def test_the_contract_suite_passes(tests, chosen, emulate):
    """Written, run and judged on the board: every promise of a session, every single product."""
    board = emulate("raspberry-pi-5")
    pytest_there = f"cd {PACKAGE} && exec python3 -m pytest -q -p no:cacheprovider"
    done = board.run("sh", "-c", f'{pytest_there} tests/contract/{tests} -k "$1"', "sh", chosen)
    last = passed(done).splitlines()[-1]
    assert re.fullmatch(r"\d+ passed, \d+ deselected in .*", last), done.stdout


def test_the_gate_passes(emulate):
    """All of the artifact beside the reference, both computed there, both decoder graphs."""
    board = emulate("raspberry-pi-5")
    there = carry(demo_artifact("onnx"), board)
    found = json.loads(passed(board.run("whisperq-edge", "verify", there, "--json")))
    assert set(found["parity"]["parts"]) == {"encoder", "decoder", PLAIN_DECODER}


def test_an_export_is_the_same(emulate):
    """Integers, scales and graphs to the bit; norms to a few ulp, since they hold a power."""
    board = emulate("raspberry-pi-zero-2-w")
    options = ("--target", "onnx", "--int8", "--no-verify", "--output", HOME / "exported")
    passed(board.run("whisperq-edge", "export", *options))
    ours, theirs = demo_artifact("onnx").folder, board.home / "exported"
    assert {path.name for path in theirs.iterdir()} == {path.name for path in ours.iterdir()}
    for path in ours.iterdir():
        if path.suffix == ".safetensors":  # whose header has its keys in any order
            there = load_file(theirs / path.name)
            assert there.keys() == load_file(path).keys()
            for name, array in load_file(path).items():
                rtol = 1e-6 if "norm." in name else 0
                np.testing.assert_allclose(there[name], array, rtol=rtol, err_msg=name)
        elif path.name != "artifact.json":  # which says what wrote it
            assert (theirs / path.name).read_bytes() == path.read_bytes(), path


def test_doctor_finds_nothing_wrong(emulate):
    done = emulate("raspberry-pi-4").run("whisperq-edge", "doctor", "--json")
    found = json.loads(passed(done))
    assert found["problems"] == []
    assert found["board"]["model"] == "Raspberry Pi 4 Model B Rev 1.5"
    assert found["board"]["features"] == []
    assert found["int8"] == "exact"
    versions = {library["name"]: library["version"] for library in found["libraries"]}
    assert versions["onnxruntime"] and versions["ai-edge-litert"]
    assert versions["coremltools"] is None  # of which there is no wheel for such boards


def test_a_board_has_its_memory_and_no_more(emulate, zero_memory):
    board = emulate("raspberry-pi-zero-2-w", memory=zero_memory)
    passed(board.run("python3", "-c", "print(len(b'x' * (100 << 20)))"))
    assert zero_memory.kills == 0
    assert 100 << 20 < zero_memory.peak < ZERO_2_W_BYTES
    assert board.run("python3", "-c", "b'x' * (600 << 20)").returncode == 137
    assert zero_memory.kills == 1
