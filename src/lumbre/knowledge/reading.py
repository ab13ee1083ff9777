"""Get the text of files through a child process that is killed when it hangs.

One child reads many files, for its start costs more than most of them. When it dies or
is killed, the file it had is the one reported, and the next file gets a new child.
"""

import asyncio
import json
import os
import stat
import sys
from asyncio import IncompleteReadError
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lumbre.core.document import Bounds, Parsed, Span
from lumbre.core.errors import DocumentUnreadable
from lumbre.core.text import is_text
from lumbre.knowledge import parsers
from lumbre.workers.environment import inherited
from lumbre.workers.parse import LENGTHS, reason_of

_READ_AHEAD_BYTES = 1024**2
_DYING_S = 5.0

_LOCK_OF_WORD = "~$"
"""How the name of what Word leaves beside an open document begins; it is no document."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may cost."""

    timeout_s: float = 60.0
    memory_bytes: int = 1024**3
    file_bytes: int = 512 * 1024**2
    pages: int = 20_000
    characters: int = 20_000_000


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file's text and the hash of the very bytes it came from."""

    parsed: Parsed
    sha256: str


class Reader:
    """Reads files one at a time. A context manager; leaving it ends the child."""

    def __init__(self, limits: Limits = Limits(), package: str = parsers.__name__) -> None:
        """`package`: whose modules read the kinds of files."""
        self.limits = limits
        self._package = package
        self._child: Process | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._end_child()

    async def read(self, path: Path) -> ReadFile:
        """The text of a file. Cancelled, it kills the child.

        Raises:
            DocumentUnreadable: `reason` names a sentence of words/docs.toml. `sha256` is
                among its facts where the bytes were read.
        """
        module = parsers.module_for(path, self._package)
        reason = refusal(path, self.limits.file_bytes) or (None if module else "kind")
        if reason:
            raise DocumentUnreadable(document=str(path), reason=reason)
        try:
            answer = await asyncio.wait_for(
                self._ask({"path": str(path), "module": module}), self.limits.timeout_s
            )
        except TimeoutError as error:
            await self._end_child()
            raise DocumentUnreadable(document=str(path), reason="slow") from error
        except BaseException:
            await self._end_child()
            raise
        if answer is None:
            await self._bury_child()
            raise DocumentUnreadable(document=str(path), reason="crashed")
        told, text = answer
        if told.get("reason") == "memory":
            await self._end_child()  # what it could not give back would be the next file's want
        if "reason" in told:
            raise DocumentUnreadable(document=str(path), **told)
        pages = tuple(Span(start, end) for start, end in pairwise([0, *told["ends"]]))
        return ReadFile(Parsed(text.decode(), pages), told["sha256"])

    async def _ask(self, question: dict[str, object]) -> tuple[dict[str, Any], bytes] | None:
        """The child's answer, None when it died."""
        child = self._child = self._child or await self._start()
        assert child.stdin
        assert child.stdout
        try:
            child.stdin.write(json.dumps(question).encode() + b"\n")
            await child.stdin.drain()
            header, text = LENGTHS.unpack(await child.stdout.readexactly(LENGTHS.size))
            told = json.loads(await child.stdout.readexactly(header))
            return told, await child.stdout.readexactly(text)
        except (BrokenPipeError, ConnectionResetError, IncompleteReadError):
            return None

    async def _start(self) -> Process:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # a queue.py beside the documents is not a module of ours
            "-m",
            "lumbre.workers.parse",
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            env=inherited(),
            start_new_session=True,  # ctrl-C in a terminal is for its parent to hear
            limit=_READ_AHEAD_BYTES,
        )
        assert child.stdin
        settings = {
            "parsers": self._package,
            "memory_bytes": self.limits.memory_bytes,
            "bounds": asdict(
                Bounds(self.limits.pages, self.limits.file_bytes, self.limits.characters)
            ),
        }
        child.stdin.write(json.dumps(settings).encode() + b"\n")
        return child

    async def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        if child.returncode is None:
            child.kill()
        assert child.stdin
        child.stdin.close()
        await child.wait()

    async def _bury_child(self) -> None:
        """Wait for a child that has closed its pipe.

        To kill one that is dead already takes its status from asyncio, which then warns.
        """
        if self._child is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._child.wait(), _DYING_S)
        await self._end_child()


def refusal(path: Path, largest_bytes: int) -> str | None:
    """Why a file need not even be opened, as a name of words/docs.toml."""
    if not is_text(str(path)) or "\0" in str(path):
        return "name"
    if path.name.startswith(_LOCK_OF_WORD):
        return "kind"
    try:
        status = path.stat()
    except OSError as error:
        return reason_of(error)
    if not stat.S_ISREG(status.st_mode):
        return "kind"
    if not os.access(path, os.R_OK):
        return "permission"
    if status.st_size == 0:
        return "empty"
    return "large" if status.st_size > largest_bytes else None
