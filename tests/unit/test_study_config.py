"""The file of a study: what it may say, and how a mistake in it is told."""

from __future__ import annotations

import pytest

from whisperq_edge.edge.errors import ConfigError
from whisperq_edge.edge.study.config import SetConfig, checkpoint_beside, data_beside, read_config

LEAST = """
title = "t"
checkpoints = ["demo"]
targets = ["onnx"]
precisions = ["fp32", "int8"]
[[sets]]
name = "clean"
data = "demo"
"""


@pytest.fixture
def written(tmp_path):
    """Write a file, with lines replaced."""

    def write(*replacements, more=""):
        text = LEAST
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "study.toml"
        path.write_text(more + text)
        return path

    return write


def test_what_is_not_said_has_defaults(written):
    config = read_config(written())
    assert config.threads == (1,)
    assert config.variants == ("plain",)
    assert config.repeats == 7
    assert config.sets == (SetConfig("clean", "demo", "clean"),)
    assert config.reference == "fp32"


@pytest.mark.parametrize(
    ("old", "new", "key", "reason"),
    [
        ('title = "t"', "", "title", "missing"),
        ('title = "t"', 'title = "t"\ncolour = 1', "colour", "unknown"),
        ('name = "clean"', 'name = "clean"\nspeaker = 1', "sets[0]", "speaker"),
        ('["onnx"]', '["onxx"]', "targets", "did you mean 'onnx'"),
        ('["onnx"]', "[]", "targets", "there is none"),
        ('["onnx"]', '["onnx", "onnx"]', "targets", "onnx is there twice"),
        ('"int8"]', '"int9"]', "precisions[1]", "int9"),
        ('"int8"]', '"q8_0"]', "precisions[1]", "q8_0"),
        ('["demo"]', '["demo", "random:huge"]', "checkpoints", "unknown checkpoint 'huge'"),
        ('title = "t"', 'title = "t"\nthreads = [0]', "threads", "0 is none"),
        ('title = "t"', 'title = "t"\nrepeats = 0', "repeats", "0 is none"),
        ('title = "t"', 'title = "t"\nvariants = ["streaming"]', "variants", "plain is missing"),
        ('title = "t"', 'title = "t"\nvariants = ["loud"]', "variants[0]", "loud"),
        ('title = "t"', 'title = "t"\nvariant_limit = 0', "variant_limit", "0 is none"),
        ('title = "t"', 'title = "t"\nbaseline = "fp16"', "baseline", "not among"),
        ('name = "clean"', 'name = " "', "sets[0].name", "empty"),
        ('name = "clean"', 'name = "c"\nlimit = 0', "sets[0].limit", "0 is none"),
        ('name = "clean"', 'name = "c"\ncondition = "fog"', "sets[0].condition", "fog"),
    ],
)
def test_a_mistake_is_told_with_file_and_key(written, old, new, key, reason):
    path = written((old, new))
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    for part in (str(path), key, reason):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_two_sets_may_not_have_one_name(written):
    more = '\n[[sets]]\nname = "clean"\ndata = "demo"\n'
    path = written()
    path.write_text(path.read_text() + more)
    with pytest.raises(ConfigError, match="two are called 'clean'"):
        read_config(path)


def test_words_need_a_set_and_random_weights_do_not(written):
    path = written()
    path.write_text(path.read_text().partition("[[sets]]")[0])
    with pytest.raises(ConfigError, match="sets: there is none"):
        read_config(path)
    path.write_text(path.read_text().replace('"demo"', '"random:tiny"'))
    assert read_config(path).worded == ()


def test_broken_toml_and_a_missing_file(written, tmp_path):
    with pytest.raises(ConfigError, match=r"study\.toml"):
        read_config(written(("title", "title title")))
    with pytest.raises(ConfigError, match="cannot be read"):
        read_config(tmp_path / "none.toml")


def test_paths_are_beside_the_file(tmp_path, monkeypatch):
    (tmp_path / "speech").mkdir()
    (tmp_path / "tiny").mkdir()
    monkeypatch.chdir("/")
    assert data_beside("speech", tmp_path) == str(tmp_path / "speech")
    assert data_beside("demo", tmp_path) == "demo"  # which no folder is
    assert checkpoint_beside("./tiny", tmp_path) == str(tmp_path / "tiny")
    assert checkpoint_beside("tiny", tmp_path) == "tiny"  # the official one in any case


def test_a_study_keeps_no_path_of_the_machine(written):
    """It is published with the report."""
    path = written(('data = "demo"', 'data = "speech"'), ('"t"', '"t"\noutput = "out"'))
    (path.parent / "speech").mkdir()
    config = read_config(path)
    assert (config.sets[0].data, config.output) == ("speech", "out")


def test_the_reference_is_the_first_in_floats_unless_it_is_named(written):
    precisions = ('["fp32", "int8"]', '["int8", "fp16", "fp32"]')
    assert read_config(written(precisions)).reference == "fp16"
    named = ('title = "t"', 'title = "t"\nbaseline = "fp32"')
    assert read_config(written(precisions, named)).reference == "fp32"
    assert read_config(written(('["fp32", "int8"]', '["int8"]'))).reference is None
