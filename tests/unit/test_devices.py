"""The boards in ``devices/``: every file, how a board is recognized, the command, the recipe."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from whisperq_edge.edge.errors import ConfigError, UnknownNameError
from whisperq_edge.edge.profiling.cores import INT8_FEATURES
from whisperq_edge.edge.profiling.device import Device, Int8Instruction
from whisperq_edge.edge.profiling.devices import (
    device,
    devices,
    identify,
    read_device,
    read_devices,
)
from whisperq_edge.exporters import TARGETS

FOLDER = Path(str(files("whisperq_edge") / "devices"))
CONTRIBUTING = (FOLDER.parent / "CONTRIBUTING.md").read_text()

# What firmware, device tree and cores say of each.
REPORTED = {
    "raspberry-pi-zero-2-w": (
        "Raspberry Pi Zero 2 W Rev 1.0",
        ("raspberrypi,model-zero-2-w", "brcm,bcm2837"),
        ("Cortex-A53",),
    ),
    "raspberry-pi-3b-plus": (
        "Raspberry Pi 3 Model B Plus Rev 1.3",
        ("raspberrypi,3-model-b-plus", "brcm,bcm2837"),
        ("Cortex-A53",),
    ),
    "raspberry-pi-4": (
        "Raspberry Pi 4 Model B Rev 1.5",
        ("raspberrypi,4-model-b", "brcm,bcm2711"),
        ("Cortex-A72",),
    ),
    "raspberry-pi-400": (
        "Raspberry Pi 400 Rev 1.0",
        ("raspberrypi,400", "brcm,bcm2711"),
        ("Cortex-A72",),
    ),
    "raspberry-pi-5": (
        "Raspberry Pi 5 Model B Rev 1.0",
        ("raspberrypi,5-model-b", "brcm,bcm2712"),
        ("Cortex-A76",),
    ),
    "jetson-nano": (
        "NVIDIA Jetson Nano Developer Kit",
        ("nvidia,p3450-0000", "nvidia,tegra210"),
        ("Cortex-A57",),
    ),
    "jetson-orin-nano": (
        "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
        ("nvidia,p3768-0000+p3767-0005-super", "nvidia,p3767-0005", "nvidia,tegra234"),
        ("Cortex-A78AE",),
    ),
    "jetson-agx-orin": (
        "NVIDIA Jetson AGX Orin Developer Kit",
        ("nvidia,p3737-0000+p3701-0000", "nvidia,p3701-0000", "nvidia,tegra234"),
        ("Cortex-A78AE",),
    ),
    "orange-pi-5": (
        "Xunlong Orange Pi 5",
        ("xunlong,orangepi-5", "rockchip,rk3588s"),
        ("Cortex-A55", "Cortex-A76"),
    ),
    "rock-5b": (
        "Radxa ROCK 5B",
        ("radxa,rock-5b", "rockchip,rk3588"),
        ("Cortex-A55", "Cortex-A76"),
    ),
    "intel-n100": ("Default string", (), ("Intel(R) N100",)),
    "intel-core-ultra-lunar-lake": (
        "ASUSTeK COMPUTER INC. Zenbook",
        (),
        ("Intel(R) Core(TM) Ultra 7 258V P-core", "Intel(R) Core(TM) Ultra 7 258V E-core"),
    ),
    "snapdragon-8-gen-3": (
        "Qualcomm Technologies, Inc. SM8650 HDK",
        ("qcom,sm8650-hdk", "qcom,sm8650"),
        ("Cortex-A520", "Cortex-A720", "Cortex-X4"),
    ),
    "snapdragon-x-elite": (
        "Qualcomm Technologies, Inc. X1E80100 CRD",
        ("qcom,x1e80100-crd", "qcom,x1e80100"),
        ("Oryon",),
    ),
    "qcs6490": (
        "Qualcomm Technologies, Inc. Robotics RB3gen2",
        ("qcom,qcs6490-rb3gen2", "qcom,qcm6490"),
        ("Cortex-A55", "Cortex-A78"),
    ),
    "apple-m1": ("Macmini9,1", (), ("Apple M1 P-core", "Apple M1 E-core")),
    "apple-m4": ("Mac16,10", (), ("Apple M4 P-core", "Apple M4 E-core")),
    "iphone-15-pro": ("iPhone16,1", (), ()),
    "amd-zen4": ("Framework Laptop 13", (), ("AMD Ryzen 7 7840U w/ Radeon 780M Graphics",)),
    "arm-neoverse-n1": ("Amazon EC2 c6g.large", (), ("Neoverse-N1",)),
}
# Of the same family, and something else.
STRANGERS = [
    ("Raspberry Pi Compute Module 4 Rev 1.0", ("raspberrypi,4-compute-module",), ("Cortex-A72",)),
    ("Raspberry Pi 500 Rev 1.0", ("raspberrypi,500", "brcm,bcm2712"), ("Cortex-A76",)),
    ("Raspberry Pi 3 Model B Rev 1.2", ("raspberrypi,3-model-b",), ("Cortex-A53",)),
    ("Xunlong Orange Pi 5 Plus", ("xunlong,orangepi-5-plus", "rockchip,rk3588"), ("Cortex-A76",)),
    ("NVIDIA Jetson Orin NX", ("nvidia,p3768-0000+p3767-0000", "nvidia,p3767-0000"), ()),
    ("MacBookPro18,3", (), ("Apple M1 Pro P-core", "Apple M1 Pro E-core")),
    ("iPhone15,4", (), ()),
    (None, (), ("AMD Ryzen 7 7735HS with Radeon Graphics",)),  # Zen 3+
    (None, (), ("AMD EPYC 9355 32-Core Processor",)),  # Zen 5
    (None, (), ("AMD EPYC",)),
    (None, (), ("Intel(R) Core(TM) Ultra 7 155H",)),  # Meteor Lake
    (None, (), ("Intel(R) N1000",)),
    (None, (), ()),
]
GOOD = (FOLDER / "raspberry-pi-5.toml").read_text()


def tables(value, place=""):
    """Every table of a TOML file with its place."""
    if isinstance(value, dict):
        yield place, value
        for key, part in value.items():
            yield from tables(part, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from tables(part, f"{place}[{number}]")


def write(folder, name, text):
    path = folder / name
    path.write_text(text)
    return path


def test_the_boards_are_these():
    assert set(devices()) == set(REPORTED)
    assert {path.stem for path in FOLDER.glob("*.toml")} == set(REPORTED)


@pytest.mark.parametrize("device_id", REPORTED)
def test_every_figure_has_a_source_that_can_be_looked_up(device_id):
    raw = tomllib.loads((FOLDER / f"{device_id}.toml").read_text())
    sources = raw.pop("sources")
    for place, table in tables(raw):
        holds_figures = any(isinstance(part, int | float) for part in table.values())
        if holds_figures and place != "default":  # which is our choice
            assert table["source"] in sources, place
    for text in sources.values():
        assert re.search(r"https?://\S+\.\S+|docs/\w+\.md|this project's", text)


@pytest.mark.parametrize("device_id", REPORTED)
def test_defaults_and_targets_are_those_that_exist(device_id):
    entry = devices()[device_id]
    assert set(entry.targets) == set(TARGETS)
    layouts = TARGETS[entry.default.target].layouts.values()
    assert any(entry.default.precision in layout.precisions for layout in layouts)
    for support in entry.targets.values():
        named = re.findall(r"--layout (\S+?)[,;. ]", support.note)
        assert set(named) <= {name for target in TARGETS.values() for name in target.layouts}


@pytest.mark.parametrize("device_id", REPORTED)
def test_facts_are_of_one_piece(device_id):
    entry = devices()[device_id]
    arm = {"asimddp", "i8mm", "sve"}
    assert set(entry.int8.instructions) <= set(INT8_FEATURES)
    assert bool(set(entry.int8.instructions) - arm) == (entry.machine == "x86_64")
    sizes = entry.memory.sizes_mib if entry.memory else (1,)
    assert sizes == tuple(sorted(set(sizes))) and min(sizes) > 0
    speeds = [kind.max_mhz for kind in entry.cores if kind.max_mhz]
    assert speeds == sorted(speeds, reverse=True)
    assert any([entry.identify.compatible, entry.identify.models, entry.identify.cores])


def test_instructions_have_the_names_that_a_board_reports():
    assert set(get_args(Int8Instruction)) <= set(INT8_FEATURES)


@pytest.mark.parametrize("device_id", REPORTED)
def test_a_board_is_recognized(device_id):
    assert identify(*REPORTED[device_id]) == device_id


@pytest.mark.parametrize("device_id", REPORTED)
def test_no_part_of_what_a_board_reports_is_taken_for_another(device_id):
    model, compatible, cores = REPORTED[device_id]
    parts = [(model, (), ()), (None, (), cores), *((None, (name,), ()) for name in compatible)]
    assert {identify(*part) for part in parts} <= {device_id, None}
    fits = [
        other
        for other, entry in devices().items()
        if identify(model, compatible, cores, {other: entry}) is not None
    ]
    assert fits == [device_id]


@pytest.mark.parametrize("stranger", STRANGERS, ids=str)
def test_a_stranger_is_not_recognized(stranger):
    assert identify(*stranger) is None


def test_where_two_boards_fit_neither_is_claimed():
    both = {"one": device("intel-n100"), "two": device("intel-n100")}
    assert identify(None, (), ("Intel(R) N100",), both) is None


def test_device_tree_names_go_before_the_model():
    reported = ("Raspberry Pi 5 Model B Rev 1.0", ("raspberrypi,4-model-b",), ("Neoverse-N1",))
    assert identify(*reported) == "raspberry-pi-4"
    assert identify(reported[0], (), reported[2]) == "raspberry-pi-5"


def test_an_unknown_id_gets_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'raspberry-pi-5'"):
        device("raspbery-pi-5")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("max_mhz = 2400", "max_ghz = 2.4", r"max_ghz.*cores"),
        ("max_mhz = 2400", 'max_mhz = "2400"', r"max_mhz"),
        ('vendor = "Raspberry Pi"', "", r"vendor"),
        ('machine = "aarch64"', 'machine = "arm"', r"machine"),
        ('instructions = ["asimddp"]', 'instructions = ["dotprod"]', r"int8\.instructions"),
        ('gb_per_s = 17.0\nsource = "soc"', "gb_per_s = 17.0", r"source.*bandwidth"),
        (
            'gb_per_s = 17.0\nsource = "soc"',
            'gb_per_s = 17.0\nsource = "sok"',
            r"bandwidth\.source",
        ),
        ("[sources]", '[sources]\nmore = "https://example.org"', r"sources\.more"),
        ("[targets.onnx]", "[targets.onix]", r"targets\.onix.*did you mean 'onnx'"),
        ('evidence = "emulated"', "", r"targets\.onnx\.evidence"),
        ('kind = "gpu"', 'kind = "gpu"\ntargets = ["coreml"]', r"accelerators\[0\]\.targets"),
        ('target = "onnx"', 'target = "coreml"', r"default\.target"),
        ("threads = 4", "threads = 5", r"default\.threads"),
        ("seconds = 1.11", "seconds = 1.11\ntimes_real_time = 27.0", r"published\[0\]"),
        ("[sources]", "[sources", r"line 6"),
    ],
)
def test_a_wrong_file_is_an_error_that_names_file_and_key(tmp_path, old, new, complaint):
    assert old in GOOD
    path = write(tmp_path, "a-board.toml", GOOD.replace(old, new, 1))
    with pytest.raises(ConfigError, match=rf"devices/a-board\.toml: .*{complaint}"):
        read_device(path)


def test_a_target_that_is_left_out_is_an_error(tmp_path):
    text = re.sub(r"\[targets\.tflite\].*?\n\n", "", GOOD, flags=re.DOTALL)
    with pytest.raises(ConfigError, match=r"a-board\.toml: targets\.tflite: missing"):
        read_device(write(tmp_path, "a-board.toml", text))


def test_a_file_is_named_like_an_id(tmp_path):
    with pytest.raises(ConfigError, match=r"devices/Pi_5\.toml: .*raspberry-pi-5\.toml"):
        read_device(write(tmp_path, "Pi_5.toml", GOOD))


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r"devices/a-board\.toml: "):
        read_device(tmp_path / "a-board.toml")


def test_a_device_tree_name_belongs_to_one_board(tmp_path):
    write(tmp_path, "a-board.toml", GOOD)
    write(tmp_path, "b-board.toml", GOOD)
    with pytest.raises(ConfigError, match=r"b-board\.toml: identify\.compatible: .*a-board\.toml"):
        read_devices(tmp_path)


def test_the_command_lists_every_board(call):
    ended = call("devices")
    assert ended.status == 0
    assert [line.split()[0] for line in ended.out.splitlines()[1:]] == sorted(REPORTED)
    listed = json.loads(call("devices", "--json").out)
    assert [entry["id"] for entry in listed] == sorted(REPORTED)


@pytest.mark.parametrize("device_id", REPORTED)
def test_the_command_shows_one_board_in_full(call, device_id):
    entry = devices()[device_id]
    shown = call("devices", device_id).out
    facts = [*entry.sources.values(), entry.default.reason, entry.name]
    facts += [support.note for support in entry.targets.values()]
    facts += [kind.name for kind in (*entry.cores, *entry.accelerators)]
    assert not [fact for fact in facts if fact not in shown]
    assert shown.count("published") == len(entry.published)
    record = json.loads(call("devices", device_id, "--json").out)
    assert record.pop("id") == device_id
    assert msgspec.convert(record, Device) == entry


def test_the_command_suggests_a_board(call):
    ended = call("devices", "raspbery-pi-5")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == "error: unknown device 'raspbery-pi-5'; did you mean 'raspberry-pi-5'?\n"


def test_the_recipe_for_a_new_board_works(tmp_path, call):
    """The example of CONTRIBUTING.md, beside the boards that there are."""
    section = re.search(r"## Add a board\n(.*?)(\n## |\Z)", CONTRIBUTING, re.DOTALL)[1]
    (example,) = re.findall(r"```toml\n(.*?)```", section, re.DOTALL)
    for path in FOLDER.glob("*.toml"):
        write(tmp_path, path.name, path.read_text())
    path = write(tmp_path, "raspberry-pi-3a-plus.toml", example)
    known = read_devices(tmp_path)
    assert set(known) == {*REPORTED, path.stem}
    reported = ("Raspberry Pi 3 Model A Plus Rev 1.0", ("raspberrypi,3-model-a-plus",), ())
    assert identify(*reported, known) == path.stem
    for device_id in REPORTED:
        assert identify(*REPORTED[device_id], known) == device_id
    shown = call("devices", path)
    assert shown.status == 0
    assert "Raspberry Pi 3 Model A+" in shown.out and "512 MiB" in shown.out
    optional = {field.name for field in msgspec.structs.fields(Device) if not field.required}
    assert {name for name in optional if f"[{name}]" in section} == optional
    path.write_text(example.replace("max_mhz", "max_khz"))
    wrong = call("devices", path)
    assert wrong.status == 2
    assert "raspberry-pi-3a-plus.toml" in wrong.err and "max_khz" in wrong.err
