"""Boards to read facts from: /proc and /sys as their kernels show them, in a folder.

Put together from kernel sources and from what people have published of each board. What a sensor
says is made up; where it says it, and in which form, is not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

A53 = "fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid"
A72 = "fp asimd evtstrm crc32 cpuid"
A55 = f"{A53} atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp"
A76 = A55
A78AE = f"{A55} uscat ilrcpc flagm paca pacg"
N100 = "fpu lm sse2 ssse3 sse4_2 popcnt avx f16c rdrand fma bmi2 avx2 sha_ni avx_vnni umip vaes"
ZEN4 = "fpu lm sse2 fma hypervisor avx2 avx512f avx512bw avx512_bf16 avx512_vnni avx512vbmi"


@dataclass(frozen=True)
class Cluster:
    """Cores of one kind; without ``part`` they are x86's, with ``khz`` 0 they have no cpufreq."""

    count: int
    name: str  # "0x41:0xd0b", or the model name
    flags: str
    khz: int = 0
    threads: int = 1


@dataclass(frozen=True)
class BoardFiles:
    """What one board's tree is made of."""

    clusters: tuple[Cluster, ...]
    memory_kib: int
    governor: str = "ondemand"
    tail: str = ""  # of /proc/cpuinfo
    files: dict[str, str] = field(default_factory=dict)


def device_tree(model, *compatible):
    return {
        "sys/firmware/devicetree/base/model": f"{model}\0",
        "sys/firmware/devicetree/base/compatible": "".join(f"{name}\0" for name in compatible),
    }


def zones(*named):
    return {
        f"sys/class/thermal/thermal_zone{number}/{file}": f"{text}\n"
        for number, (name, milli) in enumerate(named)
        for file, text in (("type", name), ("temp", milli))
    }


def raspberry_pi(model, *compatible, revision, throttled, milli_c, soc="soc"):
    files = {
        **device_tree(model, *compatible),
        **zones(("cpu-thermal", milli_c)),
        f"sys/devices/platform/{soc}/{soc}:firmware/get_throttled": f"{throttled}\n",
        "proc/sys/kernel/ostype": "Linux\n",
        "proc/sys/kernel/osrelease": "6.12.47+rpt-rpi-v8\n",
        "proc/sys/kernel/arch": "aarch64\n",
    }
    tail = f"Revision\t: {revision}\nSerial\t\t: 10000000deadbeef\nModel\t\t: {model}\n"
    return files, tail


def ina3221(number, *channels):
    """A meter of three channels: label, millivolts, milliamperes."""
    folder = f"sys/class/hwmon/hwmon{number}"
    files = {f"{folder}/name": "ina3221\n"}
    for channel, (label, millivolts, milliamperes) in enumerate(channels, start=1):
        files[f"{folder}/in{channel}_label"] = f"{label}\n"
        files[f"{folder}/in{channel}_input"] = f"{millivolts}\n"
        files[f"{folder}/curr{channel}_input"] = f"{milliamperes}\n"
        files[f"{folder}/in{channel + 3}_input"] = "5080\n"  # of the shunt, in microvolts
    files[f"{folder}/in7_label"] = "Sum of shunt voltages\n"
    files[f"{folder}/in7_input"] = "9000\n"
    files[f"{folder}/curr4_input"] = "2000\n"
    return files


def rapl(folder, name, energy_uj, range_uj):
    folder = f"sys/class/powercap/{folder}"
    return {
        f"{folder}/name": f"{name}\n",
        f"{folder}/energy_uj": f"{energy_uj}\n",
        f"{folder}/max_energy_range_uj": f"{range_uj}\n",
    }


def arm(count, part, flags, khz):
    return Cluster(count, f"0x41:{part}", flags, khz)


def boards():
    """Every board by the name of its file in ``devices/``."""
    zero_files, zero_tail = raspberry_pi(
        "Raspberry Pi Zero 2 W Rev 1.0",
        "raspberrypi,model-zero-2-w",
        "brcm,bcm2837",
        revision="902120",
        throttled="50005",
        milli_c=61224,
    )
    pi4_files, pi4_tail = raspberry_pi(
        "Raspberry Pi 4 Model B Rev 1.5",
        "raspberrypi,4-model-b",
        "brcm,bcm2711",
        revision="c03115",
        throttled="80008",
        milli_c=81791,
    )
    pi5_files, pi5_tail = raspberry_pi(
        "Raspberry Pi 5 Model B Rev 1.0",
        "raspberrypi,5-model-b",
        "brcm,bcm2712",
        revision="d04170",
        throttled="0",
        milli_c=48312,
        soc="soc@107c000000",
    )
    return {
        "raspberry-pi-zero-2-w": BoardFiles(
            (arm(4, "0xd03", A53, 1_000_000),), 426 * 1024, tail=zero_tail, files=zero_files
        ),
        "raspberry-pi-4": BoardFiles(
            (arm(4, "0xd08", A72, 1_800_000),), 3_885_396, tail=pi4_tail, files=pi4_files
        ),
        "raspberry-pi-5": BoardFiles(
            (arm(4, "0xd0b", A76, 2_400_000),), 8_256_000, tail=pi5_tail, files=pi5_files
        ),
        "jetson-orin-nano": BoardFiles(
            (arm(6, "0xd42", A78AE, 1_728_000),),
            7_802_000,
            "schedutil",
            files={
                **device_tree(
                    "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
                    "nvidia,p3768-0000+p3767-0005-super",
                    "nvidia,p3767-0005",
                    "nvidia,tegra234",
                ),
                **zones(("cpu-thermal", 52218), ("gpu-thermal", 50781), ("cv0-thermal", -256000)),
                **ina3221(
                    1,
                    ("VDD_IN", 5032, 1016),
                    ("VDD_CPU_GPU_CV", 5032, 208),
                    ("VDD_SOC", 5032, 288),
                ),
            },
        ),
        "orange-pi-5": BoardFiles(
            (arm(4, "0xd05", A55, 1_800_000), arm(4, "0xd0b", A76, 2_400_000)),
            16_221_000,
            "performance",
            files={
                **device_tree("Orange Pi 5", "xunlong,orangepi-5", "rockchip,rk3588s"),
                **zones(
                    ("soc-thermal", 44384), ("bigcore0-thermal", 45307), ("npu-thermal", 44384)
                ),
            },
        ),
        "intel-n100": BoardFiles(
            (Cluster(4, "Intel(R) N100", N100, 3_400_000),),
            16_113_000,
            "powersave",
            files={
                "sys/class/dmi/id/sys_vendor": "AZW\n",
                "sys/class/dmi/id/product_name": "MINI S\n",
                **zones(("acpitz", 27800), ("acpitz", 31000), ("x86_pkg_temp", 46000)),
                **rapl("intel-rapl:0", "package-0", 262_143_000_000, 262_143_328_850),
                **rapl("intel-rapl:0:0", "core", 1_000_000, 262_143_328_850),
                **rapl("intel-rapl-mmio:0", "package-0", 5, 262_143_328_850),
            },
        ),
        "amd-zen4": BoardFiles(
            (Cluster(2, "AMD EPYC 9R14", ZEN4, threads=2),),
            7_900_000,
            files={
                "sys/class/dmi/id/sys_vendor": "Amazon EC2\n",
                "sys/class/dmi/id/product_name": "m7a.large\n",
            },
        ),
    }


def build(name, root):
    """Make the tree of a board, and return its root."""
    board = boards()[name]
    files = dict(board.files)
    cpuinfo = []
    for processor, cluster in _processors(board):
        cpuinfo.append(_cpuinfo(processor, cluster))
        if cluster.khz:
            policy = f"sys/devices/system/cpu/cpufreq/policy{processor}"
            files[f"{policy}/cpuinfo_max_freq"] = f"{cluster.khz}\n"
            files[f"{policy}/scaling_cur_freq"] = f"{cluster.khz // 2}\n"
            files[f"{policy}/scaling_governor"] = f"{board.governor}\n"
    files["proc/cpuinfo"] = "".join(cpuinfo) + board.tail
    files["proc/meminfo"] = (
        f"MemTotal:       {board.memory_kib:8d} kB\n"
        f"MemFree:        {board.memory_kib // 2:8d} kB\n"
        f"MemAvailable:   {board.memory_kib * 3 // 4:8d} kB\n"
    )
    write(root, files)
    for policy in root.glob("sys/devices/system/cpu/cpufreq/policy*"):  # as the kernel links them
        core = root / "sys/devices/system/cpu" / policy.name.replace("policy", "cpu")
        core.mkdir(parents=True)
        (core / "cpufreq").symlink_to(f"../cpufreq/{policy.name}")
    return root


def write(root, files):
    """Write files below a folder; None takes one away."""
    for name, text in files.items():
        path = Path(root, name)
        if text is None:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _processors(board):
    clusters = [
        cluster for cluster in board.clusters for _ in range(cluster.count * cluster.threads)
    ]
    return enumerate(clusters)


def _cpuinfo(processor, cluster):
    if ":" in cluster.name:
        implementer, part = cluster.name.split(":")
        return (
            f"processor\t: {processor}\nBogoMIPS\t: 108.00\nFeatures\t: {cluster.flags}\n"
            f"CPU implementer\t: {implementer}\nCPU architecture: 8\nCPU variant\t: 0x0\n"
            f"CPU part\t: {part}\nCPU revision\t: 4\n\n"
        )
    return (
        f"processor\t: {processor}\nvendor_id\t: GenuineIntel\nmodel name\t: {cluster.name}\n"
        f"cpu MHz\t\t: 2596.122\nphysical id\t: 0\nsiblings\t: {cluster.count * cluster.threads}\n"
        f"core id\t\t: {processor // cluster.threads}\nflags\t\t: {cluster.flags}\n\n"
    )
