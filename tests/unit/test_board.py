"""A board's facts and condition, read from the trees of seven boards, and from broken ones."""

from __future__ import annotations

import os
import platform
import subprocess

import pytest

from whisperq_edge.edge.profiling.board import CoreGroup
from whisperq_edge.edge.profiling.read_board import read_board, read_condition
from whisperq_edge.edge.profiling.system_tree import SystemTree

from ..boards import boards, build, write


@pytest.fixture
def tree(tmp_path):
    """Build a board's tree, with some files of another content, or none."""

    def make(name, changes=None):
        root = build(name, tmp_path / name)
        write(root, changes or {})
        return root

    return make


@pytest.mark.parametrize(
    ("name", "model", "cores", "features", "mib"),
    [
        (
            "raspberry-pi-zero-2-w",
            "Raspberry Pi Zero 2 W Rev 1.0",
            (CoreGroup("Cortex-A53", 4, 1000),),
            (),
            426,
        ),
        (
            "raspberry-pi-4",
            "Raspberry Pi 4 Model B Rev 1.5",
            (CoreGroup("Cortex-A72", 4, 1800),),
            (),
            3794,
        ),
        (
            "raspberry-pi-5",
            "Raspberry Pi 5 Model B Rev 1.0",
            (CoreGroup("Cortex-A76", 4, 2400),),
            ("asimddp",),
            8062,
        ),
        (
            "jetson-orin-nano",
            "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
            (CoreGroup("Cortex-A78AE", 6, 1728),),
            ("asimddp",),
            7619,
        ),
        (
            "orange-pi-5",
            "Orange Pi 5",
            (CoreGroup("Cortex-A55", 4, 1800), CoreGroup("Cortex-A76", 4, 2400)),
            ("asimddp",),
            15840,
        ),
        (
            "intel-n100",
            "AZW MINI S",
            (CoreGroup("Intel(R) N100", 4, 3400),),
            ("avx2", "avx_vnni"),
            15735,
        ),
        (
            "amd-zen4",
            "Amazon EC2 m7a.large",
            (CoreGroup("AMD EPYC 9R14", 2, None),),
            ("avx2", "avx512_vnni"),
            7714,
        ),
    ],
)
def test_what_a_board_is(tree, name, model, cores, features, mib):
    board = read_board(tree(name))
    assert (board.model, board.cores, board.features) == (model, cores, features)
    assert board.device_id == name
    assert board.memory_bytes // 2**20 == mib
    assert board.memory_limit_bytes is None


def test_every_board_is_tested():
    assert len(boards()) == 7


@pytest.mark.parametrize(
    ("name", "machine", "usable", "governor"),
    [
        ("raspberry-pi-5", "aarch64", 4, "ondemand"),
        ("jetson-orin-nano", "aarch64", 6, "schedutil"),
        ("orange-pi-5", "aarch64", 8, "performance"),
        ("amd-zen4", "x86_64", 4, None),  # hyper-threads may be used, and are no cores
    ],
)
def test_the_system_of_a_copy(tree, name, machine, usable, governor):
    board = read_board(tree(name))
    assert (board.machine, board.usable_cores, board.governor) == (machine, usable, governor)
    assert board.python == ""


def test_kernels_name_their_version(tree):
    assert read_board(tree("raspberry-pi-5")).system == "Linux-6.12.47+rpt-rpi-v8"


def test_this_machine_is_known():
    board = read_board()
    assert board.python == platform.python_version()
    assert board.machine == platform.machine()
    assert board.system == platform.platform(terse=True)
    assert board.memory_bytes > 100 * 2**20
    assert sum(group.count for group in board.cores) >= 1
    assert read_condition().available_bytes is None or read_condition().available_bytes > 0


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux")
def test_affinity_leaves_fewer_cores():
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert read_board().usable_cores == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_clocks_and_temperatures(tree):
    pi = read_condition(tree("raspberry-pi-zero-2-w"))
    assert pi.clocks_mhz == (500,) * 4
    assert pi.temperatures_c == {"cpu-thermal": 61.224}
    assert pi.available_bytes == 426 * 1024 * 3 // 4 * 1024
    assert pi.power_w == {}


def test_a_virtual_machine_has_no_sensors(tree):
    vm = read_condition(tree("amd-zen4"))
    assert (vm.clocks_mhz, vm.temperatures_c, vm.throttled, vm.power_w) == ((), {}, None, {})


def test_zones_of_one_type_are_numbered(tree):
    assert read_condition(tree("intel-n100")).temperatures_c == {
        "acpitz": 27.8,
        "acpitz #2": 31.0,
        "x86_pkg_temp": 46.0,
    }


def test_a_sensor_that_is_off_is_left_out(tree):
    assert set(read_condition(tree("jetson-orin-nano")).temperatures_c) == {
        "cpu-thermal",
        "gpu-thermal",
    }


def test_a_constant_is_no_temperature(tree):
    zone = "sys/class/thermal/thermal_zone7"
    root = tree("jetson-orin-nano", {f"{zone}/type": "PMIC-Die\n", f"{zone}/temp": "100000\n"})
    assert max(read_condition(root).temperatures_c.values()) == 52.218


def test_amd_processors_have_a_sensor_in_place_of_a_zone(tree):
    monitor = "sys/class/hwmon/hwmon2"
    files = {"name": "k10temp\n", "temp1_input": "54125\n", "temp1_label": "Tctl\n"}
    root = tree("amd-zen4", {f"{monitor}/{name}": text for name, text in files.items()})
    assert read_condition(root).temperatures_c == {"k10temp Tctl": 54.125}


def test_cores_are_in_the_order_of_their_numbers(tree):
    """10 after 9, not after 1."""
    changes = {}
    for core in range(8, 12):
        folder = f"sys/devices/system/cpu/cpu{core}/cpufreq"
        changes[f"{folder}/scaling_cur_freq"] = f"{core * 100_000}\n"
    clocks = read_condition(tree("orange-pi-5", changes)).clocks_mhz
    assert clocks == (900,) * 4 + (1200,) * 4 + (800, 900, 1000, 1100)


@pytest.mark.parametrize(
    ("text", "now", "since_boot"),
    [
        ("0", (), ()),
        ("50005", ("under-voltage", "throttled"), ("under-voltage", "throttled")),
        ("80008", ("soft temperature limit",), ("soft temperature limit",)),
        ("20000", (), ("frequency capped",)),
        ("10", (), ()),  # hexadecimal: 16, no reason's bit
        ("f", ("under-voltage", "frequency capped", "throttled", "soft temperature limit"), ()),
        ("0x50000", (), ("under-voltage", "throttled")),  # should a kernel write it so
        ("soon", None, None),
        ("", None, None),
    ],
)
def test_what_keeps_a_raspberry_pi_slow(tree, text, now, since_boot):
    file = "sys/devices/platform/soc/soc:firmware/get_throttled"
    condition = read_condition(tree("raspberry-pi-4", {file: f"{text}\n"}))
    assert (condition.throttled, condition.throttled_since_boot) == (now, since_boot)


def test_the_firmware_of_a_raspberry_pi_5_is_found(tree):
    assert read_condition(tree("raspberry-pi-5")).throttled == ()


def test_the_command_is_asked_where_there_is_no_file(tree):
    root = tree(
        "raspberry-pi-4",
        {
            "sys/devices/platform/soc/soc:firmware/get_throttled": None,
            "commands/vcgencmd get_throttled": "throttled=0x50000\n",
        },
    )
    condition = read_condition(root)
    assert (condition.throttled, condition.throttled_since_boot) == (
        (),
        ("under-voltage", "throttled"),
    )


def test_a_command_is_really_run(tmp_path, monkeypatch):
    program = tmp_path / "vcgencmd"
    program.write_text("#!/bin/sh\necho throttled=0x4\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert SystemTree().output("vcgencmd", "get_throttled") == "throttled=0x4"
    program.write_text("#!/bin/sh\necho half; exit 1\n")
    assert SystemTree().output("vcgencmd", "get_throttled") is None
    assert SystemTree().output("no-such-program-anywhere") is None


def test_a_copy_runs_nothing(tmp_path, monkeypatch):
    def run(*_, **__):
        pytest.fail("a command of this machine was run for a copy of another")

    monkeypatch.setattr(subprocess, "run", run)
    assert SystemTree(tmp_path).output("vcgencmd", "get_throttled") is None


def test_rails_of_a_jetson(tree):
    power_w = read_condition(tree("jetson-orin-nano")).power_w
    assert power_w == pytest.approx(
        {"VDD_IN": 5.112512, "VDD_CPU_GPU_CV": 1.046656, "VDD_SOC": 1.449216}
    )


@pytest.mark.parametrize("label", [None, "NC\n"])
def test_a_channel_without_a_rail_is_left_out(tree, label):
    root = tree("jetson-orin-nano", {"sys/class/hwmon/hwmon1/in2_label": label})
    assert set(read_condition(root).power_w) == {"VDD_IN", "VDD_SOC"}


def test_shunts_and_sums_are_no_rails(tree):
    root = tree("jetson-orin-nano", {"sys/class/hwmon/hwmon1/in4_label": "Shunt\n"})
    assert set(read_condition(root).power_w) == {"VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"}


def test_a_rail_that_does_not_answer_is_left_out(tree):
    root = tree("jetson-orin-nano", {"sys/class/hwmon/hwmon1/curr1_input": None})
    assert set(read_condition(root).power_w) == {"VDD_CPU_GPU_CV", "VDD_SOC"}


@pytest.mark.parametrize(
    ("changes", "limit"),
    [
        # Version 2: systemd's tree, the least of all levels counts.
        (
            {
                "proc/self/cgroup": "0::/user.slice/user-1000.slice\n",
                "sys/fs/cgroup/user.slice/memory.max": "300000000\n",
                "sys/fs/cgroup/user.slice/user-1000.slice/memory.max": "400000000\n",
            },
            300_000_000,
        ),
        (
            {
                "proc/self/cgroup": "0::/user.slice/user-1000.slice\n",
                "sys/fs/cgroup/user.slice/memory.max": "max\n",
                "sys/fs/cgroup/user.slice/user-1000.slice/memory.max": "400000000\n",
            },
            400_000_000,
        ),
        # A container with a namespace: its own group is the mount.
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "446693376\n"}, 446_693_376),
        # Version 1, in a container without one: the path is not there.
        (
            {
                "proc/self/cgroup": "9:cpu,cpuacct:/docker/4f\n4:memory:/docker/4f\n0::/\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "446693376\n",
            },
            446_693_376,
        ),
        # Version 1 without a limit.
        (
            {
                "proc/self/cgroup": "4:memory:/\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            },
            None,
        ),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, None),
        # Another controller's group is not memory's.
        (
            {
                "proc/self/cgroup": "9:cpu:/a\n",
                "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "1000000\n",
            },
            None,
        ),
        # Outside of its namespace: what lies beside the mount is not the group.
        (
            {
                "proc/self/cgroup": "0::/../other\n",
                "sys/fs/cgroup/memory.max": "1000000\n",
                "sys/fs/other/memory.max": "5\n",
            },
            1_000_000,
        ),
        ({"proc/self/cgroup": "rubbish\n:\n"}, None),
    ],
)
def test_what_a_control_group_leaves(tree, changes, limit):
    assert read_board(tree("raspberry-pi-5", changes)).memory_limit_bytes == limit


def test_an_unknown_core_keeps_its_numbers(tree):
    root = tree("raspberry-pi-5")
    cpuinfo = root / "proc/cpuinfo"
    cpuinfo.write_text(cpuinfo.read_text().replace("0xd0b", "0xfff"))
    assert read_board(root).cores == (CoreGroup("core 0x41:0xfff", 4, 2400),)


def test_two_kinds_of_intel_cores_are_told_apart(tree):
    """Their model name is the same."""
    root = tree(
        "intel-n100",
        {"sys/devices/cpu_core/cpus": "0-1\n", "sys/devices/cpu_atom/cpus": "2,3\n"},
    )
    assert read_board(root).cores == (
        CoreGroup("Intel(R) N100 P-core", 2, 3400),
        CoreGroup("Intel(R) N100 E-core", 2, 3400),
    )


def test_an_instruction_of_some_cores_is_none(tree):
    root = tree("orange-pi-5")
    cpuinfo = root / "proc/cpuinfo"
    cpuinfo.write_text(cpuinfo.read_text().replace(" asimddp", "", 1))
    assert read_board(root).features == ()


@pytest.mark.parametrize(
    "text", ["Default string", "To be filled by O.E.M.", "System Product Name"]
)
def test_what_a_maker_left_blank_is_no_name(tree, text):
    files = {"sys/class/dmi/id/product_name": f"{text}\n", "sys/class/dmi/id/sys_vendor": "AZW\n"}
    assert read_board(tree("intel-n100", files)).model == "AZW"


def test_a_vendor_is_not_named_twice(tree):
    files = {"sys/class/dmi/id/product_name": "AZW MINI S\n"}
    assert read_board(tree("intel-n100", files)).model == "AZW MINI S"


def test_the_older_place_of_the_device_tree(tree):
    root = tree(
        "raspberry-pi-4",
        {
            "sys/firmware/devicetree/base/model": None,
            "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.1\0",
        },
    )
    assert read_board(root).model == "Raspberry Pi 4 Model B Rev 1.1"


def test_32_bit_kernels_put_the_board_into_a_block_of_its_own(tree):
    root = tree("raspberry-pi-zero-2-w", {"proc/sys/kernel/arch": None})
    cpuinfo = root / "proc/cpuinfo"
    text = cpuinfo.read_text().replace("CPU architecture: 8", "CPU architecture: 7")
    cpuinfo.write_text(text.replace("Revision\t: 902120", "Hardware\t: BCM2835"))
    board = read_board(root)
    assert (board.cores[0].count, board.machine) == (4, "armv7l")


def test_a_mac_is_read_from_sysctl(tmp_path):
    """What the commands print is published; nobody has run this on one."""
    said = {
        "hw.model": "MacBookPro17,1",
        "hw.machine": "arm64",
        "hw.memsize": "8589934592",
        "kern.ostype": "Darwin",
        "kern.osrelease": "24.6.0",
        "machdep.cpu.brand_string": "Apple M1",
        "hw.perflevel0.physicalcpu": "4",
        "hw.perflevel1.physicalcpu": "4",
        "hw.optional.arm.FEAT_DotProd": "1",
        "hw.optional.arm.FEAT_I8MM": "0",
    }
    write(tmp_path, {f"commands/sysctl -n {name}": f"{text}\n" for name, text in said.items()})
    board = read_board(tmp_path)
    assert board.model == "MacBookPro17,1"
    assert board.cores == (
        CoreGroup("Apple M1 P-core", 4, None),
        CoreGroup("Apple M1 E-core", 4, None),
    )
    assert (board.machine, board.system, board.usable_cores) == ("arm64", "Darwin-24.6.0", 8)
    assert (board.features, board.memory_bytes) == (("asimddp",), 2**33)
    assert board.device_id == "apple-m1"


@pytest.mark.parametrize("name", sorted(boards()))
@pytest.mark.parametrize("rubbish", [b"", b"\0", b"\xff\xfe\xfd\n", b"-1\n", b"a:b:c\n\n:\n", None])
def test_rubbish_is_survived(tree, name, rubbish):
    """Each file in turn holds it, or is missing; all other facts stay."""
    root = tree(name)
    whole = read_board(root)
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        held = path.read_bytes()
        path.unlink() if rubbish is None else path.write_bytes(rubbish)
        board, _ = read_board(root), read_condition(root)
        if path.name not in ("cpuinfo", "arch"):
            assert board.cores and board.machine == whole.machine
        if path.name != "meminfo":
            assert board.memory_bytes == whole.memory_bytes
        path.write_bytes(held)
    assert read_board(root) == whole


def test_nothing_at_all_is_survived(tmp_path):
    board, condition = read_board(tmp_path), read_condition(tmp_path)
    assert (board.model, board.machine, board.cores, board.features) == (None, "", (), ())
    assert (board.memory_bytes, board.governor, board.device_id) == (None, None, None)
    assert (condition.throttled, condition.available_bytes) == (None, None)


def test_a_folder_in_place_of_a_file_is_survived(tmp_path):
    (tmp_path / "proc/cpuinfo").mkdir(parents=True)
    assert read_board(tmp_path).cores == ()
