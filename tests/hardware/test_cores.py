"""Cores are those this process may use: affinity and quota take the others away."""

import os
from pathlib import Path

import pytest

from lumbre.hardware.control_group import core_quotas
from lumbre.hardware.cores import usable_cores


def machine(root: Path, group: str, files: dict[str, str]) -> Path:
    for path, text in {"proc/self/cgroup": group, **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_affinity_bounds_the_cores(tmp_path: Path) -> None:
    allowed = os.sched_getaffinity(0)
    root = machine(tmp_path, "0::/\n", {})
    assert usable_cores(root) == len(allowed)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert usable_cores(root) == 1
    finally:
        os.sched_setaffinity(0, allowed)


@pytest.mark.parametrize(
    ("group", "files", "quotas"),
    [
        ("0::/\n", {}, []),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "max 100000\n"}, []),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "150000 100000\n"}, [1.5]),
        (
            "0::/a/b\n",
            {
                "sys/fs/cgroup/a/b/cpu.max": "max 100000",
                "sys/fs/cgroup/a/cpu.max": "50000 100000",
            },
            [0.5],
        ),
        (
            "3:cpu,cpuacct:/a\n0::/\n",
            {
                "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "200000",
                "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": "100000",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
            },
            [2.0],
        ),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": "100000 0"}, []),
        ("0::/\n", {"sys/fs/cgroup/cpu.max": ""}, []),
    ],
)
def test_a_quota_of_processor_time_is_read_in_cores(
    tmp_path: Path, group: str, files: dict[str, str], quotas: list[float]
) -> None:
    assert core_quotas(machine(tmp_path, group, files)) == quotas


def test_less_than_a_core_is_still_one(tmp_path: Path) -> None:
    root = machine(tmp_path, "0::/\n", {"sys/fs/cgroup/cpu.max": "10000 100000"})
    assert usable_cores(root) == 1
