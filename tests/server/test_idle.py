"""A household that nobody asks anything costs next to nothing: it sleeps until it is asked."""

import json
import sys
import time
from pathlib import Path

import pytest

from tests.cli.terminal import TINY
from tests.conftest import Run

_WINDOW_S = 3.0
_MOST_PER_S = 2.0
"""Each is a tenth of a thousandth of a core. A busy machine makes them fewer, never more."""


def _wakings(pid: int) -> int:
    """How often its threads have gone to sleep until now.

    Source: Documentation/filesystems/proc.rst, voluntary_ctxt_switches.
    """
    every = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/status")]
    lines = [line for text in every for line in text.splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt"))


@pytest.mark.skipif(sys.platform != "linux", reason="counts what Linux counts")
@pytest.mark.usefixtures("smollm2")
def test_with_nothing_loaded_a_household_sleeps_also_after_it_had_work(lumbre: Run) -> None:
    assert lumbre("load", "primary", **TINY).returncode == 0
    assert lumbre("unload", "primary", **TINY).returncode == 0
    pid = json.loads(lumbre("ps", "--json", **TINY).stdout)["household"]["pid"]
    time.sleep(1.0)  # what `ps` has asked for is over
    begun_s, before = time.monotonic(), _wakings(pid)
    time.sleep(_WINDOW_S)
    after, ended_s = _wakings(pid), time.monotonic()
    assert (after - before) / (ended_s - begun_s) < _MOST_PER_S
