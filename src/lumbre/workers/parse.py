"""Read a file's text in a process that may hang, crash or swell without harming the rest.

`python -m lumbre.workers.parse`: the first line on standard input is the settings
(`parsers`, the package whose modules read the kinds of files, `memory_bytes`, and the
`Bounds` of a file); then each line in names a file, {"path", "module"}. An answer is two
numbers (`LENGTHS`), as many bytes of JSON, {"sha256", "ends"} with the end of each page or
{"sha256", "reason"} with a name of words/docs.toml, and as many bytes of text. Time is the
parent's to limit: it kills this process. The end of the input, also in mid-file, ends the
process, and so does the kernel when the parent is gone: it never outlives its parent.
"""

import errno
import hashlib
import importlib
import json
import os
import queue
import resource
import struct
import sys
import threading
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from lumbre.core.document import Bounds, Parsed
from lumbre.core.errors import DocumentUnreadable
from lumbre.workers import life

LENGTHS = struct.Struct(">QQ")
"""Bytes of JSON, bytes of text."""
_NO_SUCH_FILE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
_BOUND = ("pages", "swells", "long")
"""Reasons that another setting may take away, so the file is looked at again."""


class Parses(Protocol):
    """What a module of the parsers' package offers."""

    def parse(self, data: bytes, bounds: Bounds) -> Parsed:
        """The text of a file.

        Raises:
            DocumentUnreadable: with the name of the reason in words/docs.toml.
        """
        ...


def main() -> None:
    """Answer one file after another until the input ends."""
    life.die_with(os.getppid())
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    answers = _take_over_stdout()
    settings = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_listen, args=(lines,), daemon=True).start()
    limit_bytes = int(settings["memory_bytes"])
    resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    bounds = Bounds(**settings["bounds"])
    while True:
        asked = json.loads(lines.get())
        module = f"{settings['parsers']}.{asked['module']}"
        told, text = _read(Path(asked["path"]), module, bounds)
        header = json.dumps(told).encode()
        answers.write(LENGTHS.pack(len(header), len(text)) + header)
        answers.write(text)
        answers.flush()


def reason_of(error: OSError) -> str:
    """Why a file could not be opened or read, as a name of words/docs.toml."""
    if error.errno in _NO_SUCH_FILE:
        return "missing"
    return "permission" if isinstance(error, PermissionError) else "disk"


def _read(path: Path, module: str, bounds: Bounds) -> tuple[dict[str, object], bytes]:
    sha256 = ""
    try:
        parser = cast("Parses", importlib.import_module(module))
        try:
            data = path.read_bytes()
        except OSError as error:
            return {"reason": reason_of(error)}, b""
        sha256 = hashlib.sha256(data).hexdigest()
        parsed = parser.parse(data, bounds)
        if len(parsed.text) > bounds.characters:
            return {"reason": "long"}, b""
        ends = [page.end for page in parsed.pages]
        return {"sha256": sha256, "ends": ends}, parsed.text.encode()
    except DocumentUnreadable as error:
        reason = str(error.facts["reason"])
        told = {"reason": reason}
        return {**told} if reason in _BOUND else {**told, "sha256": sha256}, b""
    except MemoryError:
        return {"reason": "memory"}, b""


def _listen(lines: "queue.SimpleQueue[bytes]") -> None:
    """Pass lines on; when there will be no more, nobody waits for an answer either."""
    for line in sys.stdin.buffer:
        lines.put(line)
    os._exit(0)


def _take_over_stdout() -> BinaryIO:
    """The real standard output; what libraries print goes to standard error instead."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


if __name__ == "__main__":
    main()
