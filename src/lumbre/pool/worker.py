"""One worker: a child process of ours, from its start to the moment it is seen gone."""

import asyncio
import json
import os
import secrets
import signal
import sys
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path

from lumbre.core.backend import Launch
from lumbre.core.errors import WorkerFailed
from lumbre.hardware import usage
from lumbre.pool import cause
from lumbre.workers.environment import inherited

_TAIL_BYTES = 64 * 1024
_GRACE_S = 1.0
_LOOK_S, _LOOKS = 0.02, 250


class Worker:
    """A running one. Made by `start`."""

    def __init__(
        self, process: asyncio.subprocess.Process, model: str, url: str, key: str, log_path: Path
    ) -> None:
        self._process = process
        self.model = model
        self.url = url
        self.key = key
        self.log_path = log_path

    @classmethod
    async def start(
        cls,
        launch: Launch,
        model: str,
        log_path: Path,
        spawned: Callable[[int], None] | None = None,
    ) -> "Worker":
        """Spawn it and wait until it listens; a cancelled start leaves no process. `spawned`
        hears its pid at once.

        It listens, which is not yet ready: that is the engine's word. Call from a thread
        that lives as long as the worker is to (see `lumbre.workers.life`).

        Raises:
            WorkerFailed: it ended first; `reason` is the engine's own words.
        """
        try:
            process = await _spawn(launch, log_path)
        except OSError as error:
            reason = f"it could not be started: {error}"
            raise WorkerFailed(model=model, reason=reason, log=str(log_path)) from error
        if spawned is not None:
            spawned(process.pid)
        try:
            url = await _announced(process, launch)
        except BaseException:
            await asyncio.shield(_end(process, grace_s=0.0))
            raise
        if url is None:
            await _end(process, grace_s=_GRACE_S)
            raise _failure(model, log_path, process.returncode)
        return cls(process, model, url, str(launch.settings["key"]), log_path)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """Negative is a signal; None while it runs."""
        return self._process.returncode

    def has_ended(self) -> bool:
        """Whether the process is dead already, told by the system before our loop hears of it."""
        if self.exit_status is not None:
            return True
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True

    async def stop(self, grace_s: float = _GRACE_S) -> None:
        """End it: by closing its input, then by force. Returns when it is reaped.

        Holds also when cancelled: the killing goes on without the caller.
        """
        await asyncio.shield(_end(self._process, grace_s))

    async def kill(self) -> None:
        """End it and all it has started at once, by force, and return when it is reaped.

        For one that stands still: what is stopped does not see its input close. Holds also
        when cancelled.
        """
        await asyncio.shield(_kill(self._process))

    async def gone(self) -> int:
        """Wait until it has ended, whoever ended it; its exit status."""
        return await self._process.wait()

    def failure(self) -> WorkerFailed:
        """Why it ended, from its exit status and its log."""
        return _failure(self.model, self.log_path, self.exit_status)

    def log_tail(self) -> str:
        """The end of what it wrote, 64 KiB at most."""
        return _tail(self.log_path)

    def pss_bytes(self) -> int:
        """Memory it and its children hold, their share of what they share; 0 once gone."""
        return sum(map(usage.pss_bytes, usage.family(self.pid)))

    def beside_bytes(self, files: Collection[Path]) -> int:
        """Memory it holds beside the pages of these mapped files; 0 once it is gone."""
        return sum(usage.beside_bytes(pid, files) for pid in usage.family(self.pid))

    def private_bytes(self) -> int:
        """The part of it that nobody else can have: all but mapped weights; 0 once it is gone."""
        return sum(map(usage.private_bytes, usage.family(self.pid)))


def new_key() -> str:
    """A key for one start of one worker."""
    return secrets.token_urlsafe(32)


async def _spawn(launch: Launch, log_path: Path) -> asyncio.subprocess.Process:
    log_path.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW
    log = os.open(log_path, flags, 0o600)
    try:
        os.fchmod(log, 0o600)
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # a json.py in the current folder is not a module of ours
            "-m",
            launch.module,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env=inherited(launch.environment),
            start_new_session=True,  # ctrl-C in a terminal is not for it, not even while it starts
        )
    finally:
        os.close(log)


async def _announced(process: asyncio.subprocess.Process, launch: Launch) -> str | None:
    """The URL it says it listens on; None when it ended without a word."""
    assert process.stdin is not None
    assert process.stdout is not None
    order = {"parent": os.getpid(), "settings": dict(launch.settings)}
    try:
        process.stdin.write(json.dumps(order).encode() + b"\n")
        await process.stdin.drain()
    except ConnectionError:
        return None
    line = await process.stdout.readline()
    return str(json.loads(line)["url"]) if line else None


async def _end(process: asyncio.subprocess.Process, grace_s: float) -> None:
    children = usage.family(process.pid)[1:]
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), grace_s)
    except TimeoutError:
        await _kill(process)
    await _are_gone(children)


async def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:  # its number may be another's by now
        return
    children = usage.family(process.pid)[1:]
    for child in children:  # one of them may have made itself another session
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # it has a session of its own
    await process.wait()
    if process.stdin is not None:
        process.stdin.close()
    await _are_gone(children)


async def _are_gone(children: Sequence[int]) -> None:
    for _ in range(_LOOKS):  # a program of many gigabytes takes a while to be gone
        if not any(map(usage.is_running, children)):
            return
        await asyncio.sleep(_LOOK_S)


def _failure(model: str, log_path: Path, exit_status: int | None) -> WorkerFailed:
    reason = cause.of(_tail(log_path), exit_status)
    return WorkerFailed(model=model, reason=reason, log=str(log_path))


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            return file.read(_TAIL_BYTES).decode(errors="replace")
    except OSError:
        return ""
