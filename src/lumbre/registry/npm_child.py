"""Fetch one package through the person's own npm: its registry, proxy and certificates.

npm only packs: nothing is installed and no script of a package runs. How far it is shows
in how its scratch folder grows.
"""

import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from lumbre.registry.child import end
from lumbre.registry.reason import failed
from lumbre.registry.sources import Patience

_TIED = Path(__file__).with_name("tied.py")
_LOOK_EVERY_S = 0.2
_LONGEST_LINE = 300
_MOST_SAID_BYTES = 1 << 20


def packed(
    source: str,
    spec: str,
    patience: Patience,
    progress: Callable[[int], None],
    *,
    scratch: Path,
) -> Path:
    """The tarball of a package, in `scratch`; `progress` is told the bytes as they come.

    `spec` is what npm understands: NAME@VERSION, or a folder. The folder is there and
    empty; npm keeps its cache in it, so that nothing stays behind elsewhere.

    Raises:
        SourceFailed: no npm, npm's last word, or nothing came for too long.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise failed(source, "npm_missing")
    place = scratch / "packed"
    place.mkdir()
    with tempfile.TemporaryFile(dir=scratch) as said:
        try:
            child = subprocess.Popen(
                _command(npm, spec, patience, place, scratch),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                process_group=0,
                cwd=scratch,
            )
        except OSError as error:
            raise failed(source, "npm", line=error.strerror or str(error)) from error
        try:
            code = _waited(source, child, patience, progress, scratch)
        finally:
            end(child)
        said.seek(0)
        words = said.read(_MOST_SAID_BYTES).decode(errors="replace")
    found = list(place.glob("*.tgz"))
    if code == 0 and len(found) == 1:
        return found[0]
    raise failed(source, "npm", line=_last_word(words) or f"npm: {code}")


def _command(npm: str, spec: str, patience: Patience, place: Path, scratch: Path) -> list[str]:
    return [
        *(sys.executable, "-P", str(_TIED), str(os.getpid()), npm),
        *("pack", "--ignore-scripts", "--json", "--no-update-notifier", "--no-fund", "--no-audit"),
        *("--loglevel", "error", "--fetch-retries", "1"),
        *("--fetch-timeout", str(math.ceil(patience.stall_s * 1000))),
        *("--cache", str(scratch / "cache"), "--pack-destination", str(place), "--", spec),
    ]


def _waited(
    source: str,
    child: subprocess.Popen[bytes],
    patience: Patience,
    progress: Callable[[int], None],
    scratch: Path,
) -> int:
    silence_s = patience.stall_s * 1.5
    seen_bytes, grew_s = 0, time.monotonic()
    while True:
        try:
            return child.wait(_LOOK_EVERY_S)
        except subprocess.TimeoutExpired:
            come_bytes = _size_bytes(scratch)
        if come_bytes > seen_bytes:
            seen_bytes, grew_s = come_bytes, time.monotonic()
            progress(come_bytes)
        elif time.monotonic() - grew_s > silence_s:
            raise failed(source, "npm_silent", wait_s=silence_s)


def _size_bytes(folder: Path) -> int:
    total_bytes = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total_bytes += os.stat(os.path.join(place, name)).st_size  # noqa: PTH116, PTH118
            except OSError:  # npm has just moved it
                continue
    return total_bytes


def _last_word(words: str) -> str:
    """What npm says in its JSON, else its first error line.

    Source: `npm pack --json` of npm 11 prints {"error": {"code", "summary", "detail"}}.
    """
    begin = words.find("{")
    try:
        error, _ = json.JSONDecoder().raw_decode(words[begin:]) if begin >= 0 else ({}, 0)
        summary = error["error"]["summary"] or error["error"]["code"]
        return str(summary).splitlines()[0][:_LONGEST_LINE]
    except (ValueError, KeyError, TypeError, IndexError):
        pass
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith("npm error")] or lines
    return told[-1].removeprefix("npm error").strip()[:_LONGEST_LINE] if told else ""
