"""Fetch one wheel through the person's own pip: its indexes, proxies and certificates.

pip runs as a child process that ends with us, and none of its chatter is shown: its
progress becomes figures, its last error line the reason.
"""

import math
import os
import re
import selectors
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from lumbre.registry.child import end
from lumbre.registry.reason import failed
from lumbre.registry.sources import Patience

_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")
_NO_CONNECTION = re.compile(r"after connection broken by '?(\w+)")
_TRACEBACK = "ERROR: Exception:"
_TIED_PIP = Path(__file__).with_name("tied_pip.py")
_LONGEST_LINE = 300
_READ_BYTES = 65536


def downloaded(
    source: str,
    requirement: str,
    patience: Patience,
    progress: Callable[[int], None],
    *,
    wheels: Path,
    scratch: Path,
    options: Sequence[str] = (),
) -> Path:
    """The wheel of `NAME==VERSION`, in `wheels`; `progress` is told its bytes as they come.

    `options` are pip's own, such as another index.
    Both folders are there and empty; pip keeps its own files in `scratch`, so that it
    needs no room on another disk.

    Raises:
        SourceFailed: pip's last word, or nothing came for too long.
    """
    last_words, broken_by, silence_s = "", "", patience.stall_s * 1.5
    try:
        child = subprocess.Popen(
            _command(requirement, patience, wheels, scratch, options),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
    except OSError as error:
        raise failed(source, "pip", line=error.strerror or str(error)) from error
    assert child.stdout is not None
    try:
        for line in _lines(source, child.stdout, silence_s):
            if match := _PROGRESS.match(line):
                progress(int(match[1]))
            elif match := _NO_CONNECTION.search(line):
                broken_by = match[1]
            elif line == _TRACEBACK:  # the last line of what follows says most
                last_words = ""
            elif line.startswith("ERROR:") or not last_words.startswith("ERROR:"):
                last_words = line
        code = child.wait(silence_s)
    except subprocess.TimeoutExpired as error:
        raise failed(source, "pip_silent", wait_s=silence_s) from error
    finally:
        end(child)
    found = list(wheels.glob("*.whl"))
    if code == 0 and len(found) == 1:
        return found[0]
    words = last_words.removeprefix("ERROR:").strip()[:_LONGEST_LINE] or f"pip: {code}"
    if broken_by:
        raise failed(source, "pip_offline", line=words, detail=broken_by)
    raise failed(source, "pip", line=words)


def _command(
    requirement: str, patience: Patience, wheels: Path, scratch: Path, options: Sequence[str]
) -> list[str]:
    # -P: the modules beside tied_pip.py, and those where the person stands, are not pip's.
    # Without --only-binary pip would run the setup.py of a source archive.
    return [
        *(sys.executable, "-P", str(_TIED_PIP), str(os.getpid()), str(scratch)),
        *("download", "--no-deps", "--only-binary=:all:"),
        *("--no-cache-dir", "--disable-pip-version-check", "--no-input", "--no-color"),
        *("--progress-bar", "raw", "--retries", "1"),
        *("--timeout", str(math.ceil(patience.stall_s)), "-d", str(wheels)),
        *options,
        requirement,
    ]


def _lines(source: str, pipe: IO[bytes], silence_s: float) -> Iterator[str]:
    rest = b""
    with selectors.DefaultSelector() as ready:
        ready.register(pipe, selectors.EVENT_READ)
        while True:
            if not ready.select(silence_s):
                raise failed(source, "pip_silent", wait_s=silence_s)
            piece = os.read(pipe.fileno(), _READ_BYTES)
            if not piece:
                break
            *lines, rest = (rest + piece).split(b"\n")
            yield from (line.decode(errors="replace").strip() for line in lines if line.strip())
    if rest.strip():
        yield rest.decode(errors="replace").strip()
