"""whisper.cpp's file and numbers, beside ggml's own quantizers and whisper.cpp itself."""

from __future__ import annotations

import ctypes
import os
import struct
import subprocess
import sys
from functools import cache

import msgspec
import numpy as np
import pytest

from whisperq_edge.edge.artifact import TOKENIZER
from whisperq_edge.edge.audio.mel import log_mel, mel_filters
from whisperq_edge.edge.decoding.decoder import Decoder
from whisperq_edge.edge.decoding.tokens import Tokenizer
from whisperq_edge.edge.errors import ArtifactError, InferenceError, UnsupportedPrecisionError
from whisperq_edge.edge.evaluation.export import export
from whisperq_edge.edge.evaluation.recordings import bundled_recordings
from whisperq_edge.edge.evaluation.teacher import OPTIONS, features
from whisperq_edge.edge.transcription.word_errors import word_error_rate
from whisperq_edge.edge.types import Precision
from whisperq_edge.exporters import ExportRequest, check_offer, exporter_for
from whisperq_edge.exporters.to_ggml import MODEL_FILE
from whisperq_edge.models.checkpoint import load_checkpoint
from whisperq_edge.models.ggml_blocks import FORMATS, pack
from whisperq_edge.models.ggml_file import GgmlFile
from whisperq_edge.models.quantize import Recipe, quantize
from whisperq_edge.models.random_checkpoint import MINIATURE, write_random_checkpoint
from whisperq_edge.runtimes import open_session
from whisperq_edge.runtimes.run_reference import ReferenceSession

from ..demo_artifacts import demo_artifact
from .sessions import artifact, miniature, reference, session

bindings = pytest.importorskip("_pywhispercpp")

PROMPT = np.array([[50258, 50259, 50359, 50363]])
RATE = 16_000
END = 50257

# The file.


@pytest.mark.parametrize(("n_vocab", "n_mels"), [(51864, 80), (51865, 80), (51866, 128)])
def test_a_file_holds_filters_and_the_bytes_of_every_token(n_vocab, n_mels, tmp_path):
    dimensions = msgspec.structs.replace(MINIATURE, n_vocab=n_vocab, n_mels=n_mels)
    checkpoint = load_checkpoint(write_random_checkpoint(tmp_path / "model", dimensions))
    request = ExportRequest(checkpoint, Recipe.of("q8_0"))
    made = export("ggml", request, tmp_path / "made", verify=False)
    file = GgmlFile.read(made.folder / MODEL_FILE)
    content = (made.folder / MODEL_FILE).read_bytes()
    assert mel_filters(n_mels).astype("<f4").tobytes() in content
    tokens = Tokenizer(checkpoint.tokenizer, checkpoint.generation)
    text = "naïve, 日本語 🍰"
    ids = tokens.encode(text)
    assert b"".join(file.tokens[token] for token in ids).decode() == text
    # Pieces of a character: no string of their own, but bytes.
    with pytest.raises(UnicodeDecodeError):
        for token in ids:
            file.tokens[token].decode()
    # whisper.cpp finds what its own tokenizer finds, and counts the special tokens alike.
    context = loaded(made.folder / MODEL_FILE)
    try:
        assert bindings.whisper_model_n_mels(context) == n_mels
        assert bindings.whisper_token_to_bytes(context, ids[2]) == file.tokens[ids[2]]
        without_timestamps = tokens.start_sequence("transcribe", "en", without_timestamps=True)[-1]
        assert bindings.whisper_token_not(context) == without_timestamps
        assert bindings.whisper_token_beg(context) == without_timestamps + 1
    finally:
        bindings.whisper_free(context)


@pytest.mark.parametrize("name", ["fp16", "q4_0"])
def test_a_file_holds_the_checkpoints_own_tensors(name):
    """Unfused, queries unscaled, tables and biases in floats."""
    tensors = GgmlFile.read(artifact(f"ggml-{name}").folder / MODEL_FILE).tensors
    own = miniature().tensor
    for theirs, ours in (
        ("encoder.blocks.1.attn.query.weight", "encoder.layers.1.self_attn.q_proj.weight"),
        ("decoder.blocks.0.cross_attn.key.weight", "decoder.layers.0.encoder_attn.k_proj.weight"),
        ("decoder.blocks.1.cross_attn.value.weight", "decoder.layers.1.encoder_attn.v_proj.weight"),
        ("decoder.blocks.1.mlp.2.weight", "decoder.layers.1.fc2.weight"),
        ("decoder.token_embedding.weight", "decoder.embed_tokens.weight"),
    ):
        stored = quantize(own(ours), Precision(name))
        data = pack(stored) if name in FORMATS else stored.reshape(-1).view(np.uint8)
        np.testing.assert_array_equal(tensors[theirs].data, data)
    for theirs, ours in (
        ("encoder.positional_embedding", "encoder.embed_positions.weight"),
        ("decoder.positional_embedding", "decoder.embed_positions.weight"),
        ("decoder.blocks.0.attn.query.bias", "decoder.layers.0.self_attn.q_proj.bias"),
        ("encoder.blocks.0.attn_ln.weight", "encoder.layers.0.self_attn_layer_norm.weight"),
        ("decoder.ln.bias", "decoder.layer_norm.bias"),
    ):
        np.testing.assert_array_equal(tensors[theirs].floats(), own(ours))
    kernel = tensors["encoder.conv1.weight"].floats()
    np.testing.assert_array_equal(kernel, own("encoder.conv1.weight").astype(np.float16))


def loaded(path):
    params = bindings.whisper_context_default_params()
    return bindings.whisper_init_from_file_with_params(str(path), params)


def test_a_file_has_one_precision():
    for name in ("fp16", *FORMATS):
        check_offer("ggml", "native", Recipe.of(name))
    q8_0, q4_0 = Precision("q8_0"), Precision("q4_0")
    for mixed in (
        Recipe(q8_0, q4_0, q4_0),
        Recipe(q4_0, q4_0, q8_0),
        Recipe(q4_0, q4_0, q4_0, {"encoder.0.fc1": q8_0}),
    ):
        with pytest.raises(UnsupportedPrecisionError, match="stores all matrices alike, not in q"):
            check_offer("ggml", "native", mixed)
    with pytest.raises(UnsupportedPrecisionError, match="has no fp32"):
        check_offer("ggml", "native", Recipe.of("fp32"))


def test_general_names_mean_its_own(call, tmp_path):
    for flag, kind in (("--int8", "q8_0"), ("--int5", "q5_0"), ("--int4", "q4_0")):
        options = ("--target", "ggml", flag, "--no-verify", "--output", tmp_path / kind)
        assert call("export", *options).status == 0
        assert GgmlFile.read(tmp_path / kind / MODEL_FILE).precision == kind


# whisper.cpp itself.


EVERY = 5  # recordings; all of them take a minute


@cache
def spoken():
    """Bundled recordings, and the same with the second of sound that whisper.cpp wants."""
    return [
        (one, np.pad(one.samples, (0, max(0, RATE + 1600 - len(one.samples)))))
        for one in list(bundled_recordings())[::EVERY]
    ]


def written(opened, mel):
    """Text tokens, greedily, by any session."""
    made = demo_artifact("ggml", "fp16")
    tokenizer = Tokenizer.read(made.folder / TOKENIZER, made.manifest.generation)
    decoder = Decoder(opened, tokenizer, made.manifest.generation, OPTIONS)
    opened.encode(mel)
    return decoder.decode(decoder.begin(decoder.detect_language()), 0.0).tokens


@pytest.fixture(scope="module")
def half():
    with open_session(demo_artifact("ggml", "fp16"), threads=1) as opened:
        yield opened


def test_a_session_writes_the_references_tokens(half):
    """The reference has the weights that lie in the file."""
    made = demo_artifact("ggml", "fp16")
    parameters = exporter_for("ggml").read_parameters(made.folder, made.manifest)
    rules = half.facts.activations
    theirs = ReferenceSession(parameters, half.dimensions, made.manifest.generation, rules)
    for one, _ in spoken():
        mel = features(one, half.contexts, half.dimensions.n_mels)
        assert written(half, mel) == written(theirs, mel), one.name


def test_whisper_cpp_reads_the_file_and_writes_the_same_tokens(half):
    """Through its own call, with features of its own and flash attention, in whole windows.

    Those move logits by about a hundredth, so what is nearly a tie may go the other way.
    """
    model, others = whisper_cpp(demo_artifact("ggml", "fp16")), 0
    for one, samples in spoken():
        model.transcribe(samples)
        ours = written(half, log_mel(samples, half.dimensions.n_mels, 3000))
        theirs = tokens_of(model)
        if ours == theirs:
            continue
        others += 1
        ended = [(*text, END) for text in (ours, theirs)]
        first = next(i for i, (a, b) in enumerate(zip(*ended, strict=False)) if a != b)
        half.rewind(0)
        logits = half.step(np.array([[*PROMPT[0], *ours[:first]]]))[0]
        chosen, other = (logits[text[first]] for text in ended)
        assert chosen - other < 0.2, one.name
    assert others <= 1


@pytest.mark.parametrize("name", FORMATS)
def test_whisper_cpp_reads_quantized_files(name):
    one, samples = spoken()[0]
    (segment,) = whisper_cpp(demo_artifact("ggml", name)).transcribe(samples)
    assert word_error_rate([one.text], [segment.text]) < 0.3


def whisper_cpp(made):
    from pywhispercpp.model import Model

    return Model(
        str(made.folder / MODEL_FILE),
        n_threads=1,
        language="en",
        no_timestamps=True,
        no_context=True,
        suppress_nst=True,
        temperature_inc=0.0,
        greedy={"best_of": 1},
        print_progress=False,
    )


def tokens_of(model):
    """The text of the last transcription."""
    n_segments = bindings.whisper_full_n_segments(model._ctx)
    tokens = [
        bindings.whisper_full_get_token_id(model._ctx, segment, token)
        for segment in range(n_segments)
        for token in range(bindings.whisper_full_n_tokens(model._ctx, segment))
    ]
    return tuple(token for token in tokens if token < END)


# The session.


def mel(n_positions, seed=0):
    shape = (80, 2 * n_positions)
    return np.random.default_rng(seed).normal(0, 0.5, shape).astype(np.float32)


def relative(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def rows(*tokens):
    return np.array(tokens, np.int64)


@pytest.fixture(params=["ggml-fp16", "ggml-q8_0"])
def opened(request):
    with session(request.param) as opened:
        yield opened


@pytest.mark.parametrize("name", ["fp16", *FORMATS])
def test_where_nothing_tips_over_the_reference_agrees_to_float_accuracy(name):
    """Encoder and decoder together: in short windows few values lie on an edge between two."""
    form, apart = f"ggml-{name}", []
    with session(form) as ours:
        theirs = reference(form)
        for n_positions in (1, 2, 3, 4):
            for seed in range(6):
                for each in (ours, theirs):
                    each.encode(mel(n_positions, seed))
                apart.append(relative(ours.step(PROMPT), theirs.step(PROMPT)))
    # A half has more edges than a byte in its block.
    assert np.mean(np.array(apart) < 5e-7) >= (0.2 if name == "fp16" else 0.7)


def test_what_was_encoded_before_leaves_no_trace(opened):
    """With flash attention it does: the filling of a window is looked at as well."""
    opened.encode(mel(300))
    first = opened.step(PROMPT).copy()
    for n_positions in (1500, 100, 301):
        opened.encode(mel(n_positions, seed=n_positions))
        opened.step(PROMPT)
    opened.encode(mel(300))
    np.testing.assert_array_equal(opened.step(PROMPT), first)


def test_texts_do_not_touch_each_other(opened):
    opened.encode(mel(60))
    opened.step(PROMPT)
    alone = []
    for token in (20, 21, 22):
        alone.append(opened.step(rows([token]))[0].copy())
        opened.rewind(4)
    opened.reorder(np.zeros(3, np.int64))
    together = opened.step(rows([20], [21], [22]))
    for ours, theirs in zip(together, alone, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_texts_go_where_they_are_copied_to(opened):
    """Read again in one piece, a text gives nearly the numbers that it gave token by token."""
    opened.encode(mel(60))
    opened.step(PROMPT)
    opened.step(rows([21]))
    opened.step(rows([31]))
    alone = opened.step(rows([41]))[0].copy()
    opened.rewind(4)
    opened.reorder(np.zeros(2, np.int64))
    opened.step(rows([20], [21]))
    opened.reorder(rows(1, 0, 1))
    opened.step(rows([30], [30], [31]))
    logits = opened.step(rows([41], [41], [41])).copy()
    assert relative(logits[2], alone) < 2e-2
    assert relative(logits[0], alone) > 5e-2 and relative(logits[1], alone) > 5e-2


def test_only_what_is_new_is_read(opened, monkeypatch):
    """One text is never read twice, and of several no more than what they do not share."""
    read = []
    decode = opened._model.decode

    def watched(tokens, n_past):
        read.append((list(tokens), n_past))
        return decode(tokens, n_past)

    monkeypatch.setattr(opened._model, "decode", watched)
    opened.encode(mel(60))
    opened.step(PROMPT)
    opened.step(rows([20]))
    opened.rewind(4)
    opened.step(rows([20]))
    opened.reorder(np.zeros(2, np.int64))
    opened.step(rows([30], [31]))
    opened.step(rows([40], [41]))
    assert read == [
        (PROMPT[0].tolist(), 0),
        ([20], 4),
        ([20], 4),
        ([30], 5),
        ([31], 5),
        ([30, 40], 5),
        ([31, 41], 5),
    ]


def test_attention_is_computed_only_where_it_is_asked_for(opened):
    opened.encode(mel(60))
    opened.step(PROMPT)
    assert opened._attention is None
    opened.reorder(np.zeros(2, np.int64))
    opened.step(rows([20], [21]))
    first = opened.alignment.copy()
    opened.reorder(rows(1, 1, 0))
    opened.step(rows([30, 40], [31, 41], [30, 40]))
    several = opened.alignment.copy()
    assert several.shape == (3, 2, 2, 60)
    # The same as of one text alone, read from its start.
    opened.encode(mel(60))
    opened.step(rows([*PROMPT[0], 21, 31, 41]))
    alone = opened.alignment
    np.testing.assert_allclose(several[1], alone[0, :, -2:], atol=2e-3)
    np.testing.assert_allclose(first[1], alone[0, :, 4:5], atol=2e-3)
    assert np.abs(several[0] - several[2]).max() > 2e-3


def test_nothing_is_printed(tmp_path):
    made = artifact("ggml-q8_0")
    code = (
        "import sys, numpy as np\n"
        "from pathlib import Path\n"
        "from whisperq_edge.edge.artifact import Artifact\n"
        "from whisperq_edge.runtimes import open_session\n"
        "opened = open_session(Artifact.read(Path(sys.argv[1])), 1)\n"
        "opened.encode(np.zeros((80, 120), np.float32))\n"
        "opened.step(np.array([[50258]]))\n"
        "opened.close()\n"
    )
    run = subprocess.run([sys.executable, "-c", code, made.folder], capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


# What must not end the process.


@pytest.fixture
def file(tmp_path):
    """A copy of an artifact's file that a test may break, and what opens it."""
    made = artifact("ggml-q8_0")
    path = tmp_path / MODEL_FILE
    path.write_bytes((made.folder / MODEL_FILE).read_bytes())
    return path


def refusal(path):
    from whisperq_edge.runtimes.ggml_attention import check_file

    with pytest.raises(ArtifactError) as caught:
        check_file(path, artifact("ggml-q8_0").manifest)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def change(path, offset, value):
    content = bytearray(path.read_bytes())
    content[offset : offset + 4] = struct.pack("<i", value)
    path.write_bytes(content)


@pytest.mark.parametrize("size", [0, 3, 30, 5000, 200_000, -1])
def test_a_file_that_ends_early_is_refused(file, size):
    os.truncate(file, size if size >= 0 else file.stat().st_size + size)
    assert "cannot be read" in refusal(file) or "ends too early" in refusal(file)


def test_a_file_of_something_else_is_refused(file):
    file.write_bytes(b"GGUF" + bytes(1000))
    assert "starts with another number" in refusal(file)


@pytest.mark.parametrize(
    ("place", "value", "complaint"),
    [
        (1, 51866, "token_embedding"),  # more tokens than rows
        (1, -1, "no Whisper of these dimensions"),
        (2, 1000, "encoder.positional_embedding"),
        (4, 0, "no Whisper of these dimensions"),
        (4, 3, "no Whisper of these dimensions"),
        (4, 1, "its manifest says otherwise"),
        (5, 3, "missing or unknown"),
        (10, 2**30, "encoder.conv1.weight"),
        (11, 0, "it is of type 0"),  # floats, which whisper.cpp loads and dies of
        (11, 2002, "is q8_0 of"),
        (12, -5, "ends too early"),
        (13, 2**30, "ends too early"),
    ],
)
def test_a_header_that_lies_is_refused(file, place, value, complaint):
    change(file, 4 * place, value)
    assert complaint in refusal(file)


def test_what_whisper_cpp_refuses_is_one_line(file):
    from whisperq_edge.runtimes.ggml_library import WhisperCpp

    change(file, 0, 1)
    with pytest.raises(ArtifactError, match=r"whisper\.cpp refuses .*bad magic"):
        WhisperCpp(file, 1500, 51865, 1)


def test_another_whisper_cpp_is_refused(file, monkeypatch):
    """Its structures may have other fields: that has to show before a number is written there."""
    from whisperq_edge.runtimes import ggml_library

    fields = ggml_library._FullParams._fields_

    def structure(order):
        return type("Other", (ctypes.Structure,), {"_fields_": order})

    moved = structure((("new", ctypes.c_int), *fields))
    names = [name for name, _ in fields]
    swapped = list(fields)
    one, two = names.index("audio_ctx"), names.index("max_tokens")
    swapped[one], swapped[two] = swapped[two], swapped[one]
    for other in (moved, structure(tuple(swapped))):
        monkeypatch.setattr(ggml_library, "_FullParams", other)
        ggml_library._library.cache_clear()
        with pytest.raises(InferenceError, match="than its adapter knows"):
            ggml_library.WhisperCpp(file, 1500, 51865, 1)
    monkeypatch.undo()
    ggml_library._library.cache_clear()
    ggml_library.WhisperCpp(file, 1500, 51865, 1).close()
