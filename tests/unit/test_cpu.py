"""Which decoder a CPU gets."""

from __future__ import annotations

import platform

import pytest

from whisperq_edge.edge.artifact import PLAIN_DECODER
from whisperq_edge.runtimes import open_session, run_onnx
from whisperq_edge.runtimes.cpu import has_int8_dot_product

PI_4 = "processor\t: 0\nFeatures\t: fp asimd evtstrm crc32 cpuid\nCPU part\t: 0xd08\n"
PI_5 = "processor\t: 0\nFeatures\t: fp asimd evtstrm aes crc32 atomics asimdhp cpuid asimddp\n"
X86_OLD = "processor\t: 0\nflags\t\t: fpu sse4_2 avx\n"
X86 = "processor\t: 0\nflags\t\t: fpu sse4_2 avx avx2 fma\n"


@pytest.mark.parametrize(
    ("text", "fast"), [(PI_4, False), (PI_5, True), (X86_OLD, False), (X86, True), ("", False)]
)
def test_dot_products_are_read_from_cpuinfo(tmp_path, text, fast):
    path = tmp_path / "cpuinfo"
    path.write_text(text)
    assert has_int8_dot_product(path) is fast


@pytest.mark.parametrize(("machine", "fast"), [("arm64", True), ("AMD64", True), ("armv7l", False)])
def test_without_cpuinfo_the_architecture_decides(tmp_path, monkeypatch, machine, fast):
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert has_int8_dot_product(tmp_path / machine) is fast


@pytest.mark.parametrize("fast", [True, False])
def test_the_session_takes_the_decoder_for_its_cpu(artifact, monkeypatch, fast):
    monkeypatch.setattr(run_onnx, "has_int8_dot_product", lambda: fast)
    with open_session(artifact, threads=1) as session:
        assert session.facts.decoder == ("decoder" if fast else PLAIN_DECODER)
        rules = session.facts.activations
    assert rules["encoder"] == "uint8-tensor"
    assert rules["decoder"] == rules["head"] == ("int8-block" if fast else "uint8-tensor")
