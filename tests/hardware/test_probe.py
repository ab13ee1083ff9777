"""This machine is told as it is: processor, memory within limits, cards, what is not used."""

import os
from pathlib import Path

import pytest

from lumbre.hardware.memory import read_memory
from lumbre.hardware.nvidia import Graphics, understood
from lumbre.hardware.probe import this_machine
from lumbre.hardware.processor import read_processor
from lumbre.hardware.unsupported import has_nvidia_card, read_unsupported
from tests.hardware.test_nvidia import TWO

GIB = 2**30
X86 = (
    "processor\t: 0\nmodel name\t: AMD Ryzen 9 7950X 16-Core Processor\n"
    "flags\t\t: fpu sse4_2 avx f16c avx2 fma avx512f avx512_vnni hypervisor\n\n"
    "processor\t: 1\nmodel name\t: another\nflags\t\t: amx_tile\n"
)
ARM = (
    "processor\t: 0\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd asimddp i8mm sve\nCPU part\t: 0xd0b\n"
)


def write(root: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def test_the_first_core_speaks_for_all(tmp_path: Path) -> None:
    seen = read_processor(write(tmp_path, {"proc/cpuinfo": X86}))
    assert seen.name == "AMD Ryzen 9 7950X 16-Core Processor"
    assert seen.instruction_sets == ("avx", "avx2", "avx512_vnni", "avx512f", "f16c", "fma")


def test_a_board_names_a_processor_that_has_no_name(tmp_path: Path) -> None:
    files = {"proc/cpuinfo": ARM, "proc/device-tree/model": "Raspberry Pi 5 Model B\0"}
    seen = read_processor(write(tmp_path, files))
    assert seen.name == "Raspberry Pi 5 Model B"
    assert seen.instruction_sets == ("dotprod", "i8mm", "neon", "sve")


def test_a_machine_without_proc_has_a_processor(tmp_path: Path) -> None:
    assert read_processor(tmp_path).name


def test_what_the_kernel_of_this_machine_says_is_read() -> None:
    if not Path("/proc/cpuinfo").exists():
        pytest.skip("this system has no /proc/cpuinfo")
    flags = Path("/proc/cpuinfo").read_text().split()
    assert ("avx2" in read_processor().instruction_sets) == ("avx2" in flags)


def test_main_memory_is_what_the_control_group_leaves(tmp_path: Path) -> None:
    files = {
        "proc/cpuinfo": X86,
        "proc/meminfo": f"MemTotal: {16 * 2**20} kB\nMemAvailable: {12 * 2**20} kB\n",
        "proc/self/cgroup": "0::/app\n",
        "sys/fs/cgroup/app/memory.max": f"{4 * GIB}",
        "sys/fs/cgroup/app/memory.current": f"{GIB}",
        "sys/fs/cgroup/app/memory.stat": "",
        "sys/fs/cgroup/app/cpu.max": "100000 100000",
    }
    host = this_machine({}, root=write(tmp_path, files))
    assert (host.cpu.total_bytes, host.cpu.free_bytes) == (4 * GIB, 3 * GIB)
    assert host.cores == 1
    assert (host.cards, host.driver, host.is_described) == ((), None, False)
    assert host.cpu.bandwidth_bytes_per_s is None


def test_this_machine_is_a_host() -> None:
    host = this_machine(os.environ)
    memory = read_memory()
    assert host.cpu.total_bytes == (memory.limit_bytes or memory.total_bytes)
    assert host.cores >= 1
    assert host.cpu.name


def test_cards_and_measured_speeds_stand_in_the_host() -> None:
    host = this_machine(
        {}, graphics=understood(TWO), bandwidth_bytes_per_s=2e10, compute_flops=1e11
    )
    assert [device.id for device in host.devices] == ["cpu", "gpu0", "gpu1"]
    assert (host.driver, host.cuda) == ("580.95.05", "13.0")
    assert (host.cpu.bandwidth_bytes_per_s, host.cpu.compute_flops) == (2e10, 1e11)


def pci(slot: str, kind: str, vendor: str, device: str) -> dict[str, str]:
    folder = f"sys/bus/pci/devices/{slot}"
    return {f"{folder}/class": kind, f"{folder}/vendor": vendor, f"{folder}/device": device}


def test_graphics_of_other_makers_are_noticed(tmp_path: Path) -> None:
    files = (
        pci("0000:00:02.0", "0x030000\n", "0x8086\n", "0x4c8a\n")
        | pci("0000:03:00.0", "0x030000\n", "0x1002\n", "0x744c\n")
        | pci("0000:03:00.1", "0x040300\n", "0x1002\n", "0xab30\n")
        | pci("0000:04:00.0", "0x030200\n", "0x1a03\n", "0x2000\n")
        | pci("0000:05:00.0", "not a number", "0x1002\n", "0x0001\n")
    )
    seen = read_unsupported(write(tmp_path, files))
    assert [(found.maker, found.pci_id, found.is_in_processor) for found in seen] == [
        ("Intel", "8086:4c8a", True),
        ("AMD", "1002:744c", False),
    ]
    assert not has_nvidia_card(tmp_path)


def test_a_card_of_nvidia_is_known_without_its_driver(tmp_path: Path) -> None:
    root = write(tmp_path, pci("0000:01:00.0", "0x030000\n", "0x10de\n", "0x2786\n"))
    assert has_nvidia_card(root)
    assert read_unsupported(root) == ()


def test_a_machine_without_pci_has_no_graphics(tmp_path: Path) -> None:
    assert read_unsupported(tmp_path) == ()
    assert not has_nvidia_card(tmp_path)


def test_no_driver_is_no_card(tmp_path: Path) -> None:
    assert (
        this_machine({}, root=write(tmp_path, {"proc/cpuinfo": X86}), graphics=Graphics()).cards
        == ()
    )
