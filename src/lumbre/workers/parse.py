"""Read a file's text in a process that may hang, crash or swell without harming the rest.

`python -m lumbre.workers.parse`: the first line on standard input is the settings
(`parsers`, the package whose modules read the kinds of files, and `memory_bytes`); then
each line in names a file, {"path", "module"}, and each line out is its text, {"text",
"pages", "sha256"}, or {"reason"}, a name of words/docs.toml. Time is the parent's to
limit: it kills this process. The end of the input, also in mid-file, ends the process,
so it never outlives its parent.
"""

import hashlib
import importlib
import json
import os
import queue
import resource
import sys
import threading
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from lumbre.core.document import Parsed
from lumbre.core.errors import DocumentUnreadable


class Parses(Protocol):
    """What a module of the parsers' package offers."""

    def parse(self, data: bytes) -> Parsed:
        """The text of a file.

        Raises:
            DocumentUnreadable: with the name of the reason in words/docs.toml.
        """
        ...


def main() -> None:
    """Answer one file after another until the input ends."""
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    answers = _take_over_stdout()
    settings = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_listen, args=(lines,), daemon=True).start()
    limit_bytes = int(settings["memory_bytes"])
    resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while True:
        asked = json.loads(lines.get())
        answer = _read(Path(asked["path"]), f"{settings['parsers']}.{asked['module']}")
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


def _read(path: Path, module: str) -> dict[str, object]:
    try:
        parser = cast("Parses", importlib.import_module(module))
        data = path.read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        try:
            parsed = parser.parse(data)
        except DocumentUnreadable as error:
            return {"reason": error.facts["reason"], "sha256": sha256}
    except FileNotFoundError:
        return {"reason": "missing"}
    except OSError:
        return {"reason": "permission"}
    except MemoryError:
        return {"reason": "memory"}
    pages = [(page.start, page.end) for page in parsed.pages]
    return {"text": parsed.text, "pages": pages, "sha256": sha256}


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
