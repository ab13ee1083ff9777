"""A process holds what is its own and its share of the rest; once gone it holds nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from lumbre.hardware.usage import private_bytes, pss_bytes, pulse

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


WORKING_CHILD = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
print(child.pid, flush=True)
sys.stdin.read()
child.kill()
child.wait()
"""


def test_the_pulse_of_a_process_is_also_that_of_what_it_started() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WORKING_CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        begun_s = pulse(parent.pid).cpu_s
        while pulse(parent.pid).cpu_s < begun_s + 0.1:
            pass
        os.kill(child, signal.SIGSTOP)
        while pulse(parent.pid).state != "T":
            pass
        stopped_s = pulse(parent.pid).cpu_s
        assert pulse(parent.pid).cpu_s == stopped_s > pulse(child).cpu_s - 0.001
        os.kill(child, signal.SIGCONT)
        while pulse(parent.pid).cpu_s <= stopped_s:
            pass
        assert pulse(parent.pid).state in "SR"
        parent.communicate()
        assert pulse(parent.pid).state == ""
        assert pulse(parent.pid).cpu_s == 0


def test_a_name_with_brackets_and_blanks_hides_no_pulse(tmp_path: Path) -> None:
    program = tmp_path / "a) S 1 (b"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([str(program), "60"]) as child:
        os.kill(child.pid, signal.SIGSTOP)
        while pulse(child.pid).state != "T":
            pass
        child.kill()
