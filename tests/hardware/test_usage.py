"""A process holds what is its own and its share of the rest; once gone it holds nothing."""

import os
import subprocess
import sys

import psutil

from lumbre.hardware.usage import private_bytes, pss_bytes

MIB = 2**20

CHILD = """
import sys
kept = bytearray(b"x" * (20 << 20))
print("ready", flush=True)
sys.stdin.read()
"""


def test_private_memory_is_in_the_share_and_that_in_what_is_resident() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert 20 * MIB < private_bytes(child.pid) <= pss_bytes(child.pid)
        assert pss_bytes(child.pid) <= psutil.Process(child.pid).memory_info().rss
        child.communicate()


def test_what_is_gone_holds_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    for measure in (pss_bytes, private_bytes):
        assert measure(child.pid) == 0


def test_one_sees_oneself() -> None:
    assert 0 < private_bytes(os.getpid()) < pss_bytes(os.getpid())
