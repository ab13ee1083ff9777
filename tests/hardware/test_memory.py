"""Memory is what this process may use: the machine's, bounded by every group it lives in."""

from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.hardware.control_group import Bound, memory_bounds
from lumbre.hardware.memory import read_memory

KIB, MIB, GIB = 2**10, 2**20, 2**30
MACHINE = "MemTotal: 16777216 kB\nMemFree: 1 kB\nMemAvailable: 8388608 kB\nHugePages_Total: 0\n"
"""16 GiB, half of it available."""


def machine(root: Path, group: str, files: dict[str, str]) -> Path:
    write(root / "proc/meminfo", MACHINE)
    write(root / "proc/self/cgroup", group)
    for path, text in files.items():
        write(root / "sys/fs/cgroup" / path, text)
    return root


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_this_machine_is_seen_as_others_see_it() -> None:
    memory = read_memory()
    assert memory.total_bytes == psutil.virtual_memory().total
    assert 0 < memory.available_bytes <= memory.total_bytes
    assert memory.limit_bytes is None or memory.limit_bytes < memory.total_bytes


def test_without_groups_the_machine_is_the_bound(tmp_path: Path) -> None:
    memory = read_memory(machine(tmp_path, "0::/\n", {}))
    assert (memory.total_bytes, memory.available_bytes) == (16 * GIB, 8 * GIB)
    assert memory.limit_bytes is None


def test_a_group_leaves_its_limit_less_what_it_cannot_give_back(tmp_path: Path) -> None:
    files = {
        "app/memory.max": f"{2 * GIB}\n",
        "app/memory.current": f"{1536 * MIB}\n",
        "app/memory.stat": f"anon {1 * GIB}\nactive_file {300 * MIB}\ninactive_file {200 * MIB}\n",
    }
    memory = read_memory(machine(tmp_path, "0::/app\n", files))
    assert memory.limit_bytes == 2 * GIB
    assert memory.available_bytes == 2 * GIB - (1536 - 500) * MIB


def test_the_narrowest_group_on_the_way_up_counts(tmp_path: Path) -> None:
    files = {
        "outer/memory.max": f"{3 * GIB}",
        "outer/memory.current": f"{2560 * MIB}",
        "outer/inner/memory.max": f"{4 * GIB}",
        "outer/inner/memory.current": "0",
        "outer/inner/leaf/memory.max": "max",
        "outer/inner/leaf/memory.current": "0",
    }
    memory = read_memory(machine(tmp_path, "0::/outer/inner/leaf\n", files))
    assert memory.limit_bytes == 3 * GIB
    assert memory.available_bytes == 512 * MIB


def test_a_group_of_the_first_version_counts_too(tmp_path: Path) -> None:
    groups = "5:devices:/\n4:memory:/app\n1:name=systemd:/\n0::/\n"
    files = {
        "memory/app/memory.limit_in_bytes": f"{GIB}",
        "memory/app/memory.usage_in_bytes": f"{700 * MIB}",
        "memory/app/memory.stat": f"cache 1\ntotal_active_file {100 * MIB}\n"
        f"total_inactive_file {50 * MIB}\nactive_file 7\n",
        "memory/memory.limit_in_bytes": "9223372036854771712",
        "memory/memory.usage_in_bytes": "1",
    }
    root = machine(tmp_path, groups, files)
    assert memory_bounds(root) == [Bound(GIB, 550 * MIB)]
    assert read_memory(root).available_bytes == 474 * MIB


def test_in_a_container_that_sees_its_group_as_the_root_the_mount_is_the_group(
    tmp_path: Path,
) -> None:
    files = {"memory.max": f"{GIB}", "memory.current": f"{GIB // 4}"}
    memory = read_memory(machine(tmp_path, "0::/docker/0123\n", files))
    assert (memory.limit_bytes, memory.available_bytes) == (GIB, GIB * 3 // 4)


def test_a_group_over_its_limit_has_nothing_to_give(tmp_path: Path) -> None:
    files = {"memory.max": f"{GIB}", "memory.current": f"{GIB + 1}"}
    assert read_memory(machine(tmp_path, "0::/\n", files)).available_bytes == 0


def test_a_limit_over_the_machine_is_none(tmp_path: Path) -> None:
    files = {"memory.max": f"{64 * GIB}", "memory.current": "0"}
    memory = read_memory(machine(tmp_path, "0::/\n", files))
    assert (memory.limit_bytes, memory.available_bytes) == (None, 8 * GIB)


@pytest.mark.parametrize("group", ["0::/../..\n", "0::/a/../../..\n", "", "nonsense\n", "1:x\n"])
def test_a_group_that_makes_no_sense_is_not_looked_for(tmp_path: Path, group: str) -> None:
    root = machine(tmp_path / "root", group, {})
    write(tmp_path / "memory.max", "1")
    write(tmp_path / "memory.current", "1")
    assert memory_bounds(root) == []


@given(st.integers(1, 2**40), st.integers(0, 2**40), st.integers(0, 2**40))
def test_more_used_never_leaves_more(
    tmp_path_factory: pytest.TempPathFactory, limit: int, used: int, more: int
) -> None:
    left = []
    for usage in (used, used + more):
        files = {"memory.max": str(limit), "memory.current": str(usage)}
        root = machine(tmp_path_factory.mktemp("root"), "0::/\n", files)
        left.append(read_memory(root).available_bytes)
    assert left[0] >= left[1] >= 0
    assert left[0] <= min(limit, 8 * GIB)
