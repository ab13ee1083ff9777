"""A process holds what is its own and its share of the rest; once gone it holds nothing."""

import os
import subprocess
import sys

import psutil

from lumbre.hardware.usage import private_bytes, pss_bytes, tree_pss_bytes

MIB = 2**20

CHILD = """
import subprocess, sys
kept = bytearray(b"x" * {own}) if {own} else None
below = [subprocess.Popen([sys.executable, "-c", {grandchild!r}], stdin=subprocess.PIPE,
         stdout=subprocess.PIPE)] if {grandchild!r} else []
for process in below:
    process.stdout.readline()
print("ready", flush=True)
sys.stdin.read()
for process in below:
    process.communicate()
"""


def holding(own_bytes: int, grandchild: str = "") -> str:
    return CHILD.format(own=own_bytes, grandchild=grandchild)


def test_private_memory_is_in_it_and_a_tree_is_the_sum() -> None:
    script = holding(20 * MIB, holding(30 * MIB))
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        alone, tree = pss_bytes(child.pid), tree_pss_bytes(child.pid)
        assert 20 * MIB < private_bytes(child.pid) <= alone
        assert alone <= psutil.Process(child.pid).memory_info().rss
        assert tree > alone + 30 * MIB
        child.communicate()


def test_what_is_gone_holds_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    for measure in (pss_bytes, private_bytes, tree_pss_bytes):
        assert measure(child.pid) == 0


def test_one_sees_oneself() -> None:
    assert 0 < private_bytes(os.getpid()) < pss_bytes(os.getpid())
