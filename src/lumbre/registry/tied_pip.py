"""Run the person's pip so that it never outlives the pull that needs it.

Started as a file, not imported: `python -P tied_pip.py PARENT SCRATCH pip-arguments...`.
"""

import ctypes
import os
import runpy
import signal
import sys
import tempfile

_PR_SET_PDEATHSIG = 1
"""Source: linux/prctl.h. Elsewhere pip ends when it writes into the pipe nobody reads."""


def main() -> None:
    parent, scratch = int(sys.argv.pop(1)), sys.argv.pop(1)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it went away before the signal was asked for
        sys.exit(1)
    os.environ["TMPDIR"] = tempfile.tempdir = scratch
    # A person's quiet setting would hide the progress that shows pip is alive.
    os.environ["PIP_QUIET"] = os.environ["PIP_VERBOSE"] = "0"
    runpy.run_module("pip", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
