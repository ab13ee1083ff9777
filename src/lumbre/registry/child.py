"""End a program of ours and all it started, whatever made us stop."""

import os
import signal
import subprocess
from contextlib import suppress


def end(child: subprocess.Popen[bytes]) -> None:
    """Stop a child that leads its own process group, politely and then not."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        if child.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, kind)
            with suppress(subprocess.TimeoutExpired):
                child.wait(timeout=2)
    if child.stdout is not None:
        child.stdout.close()
