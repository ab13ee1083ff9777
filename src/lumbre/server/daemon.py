"""The background process: serves the household's socket until idle, told to stop, or killed.

Started by the first command that needs a model (`python -m lumbre.server.daemon`), or in a
thread of that command with `--no-daemon`. Either way the same app answers on a Unix socket.
"""

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from socket import socket
from types import FrameType
from typing import TYPE_CHECKING

import psutil

from lumbre.config import Config, load
from lumbre.core.errors import LumbreError
from lumbre.server.socket import Note, listen, owned, remove_note, write_note
from lumbre.version import VERSION

if TYPE_CHECKING:
    from lumbre.server.household import Household

_log = logging.getLogger(__name__)

_LOOK_S = 5.0
"""Between two looks whether the door is still where commands look for it."""
_STARTING_S = 0.02
_ENDS = (signal.SIGTERM, signal.SIGINT)
_PATIENCE_S = 1.0
"""A command that only looks who serves holds the lock for an instant."""


def main(arguments: list[str] | None = None) -> int:
    """Serve in this process. What went wrong before serving is told through `--ready-fd`."""
    parser = argparse.ArgumentParser(prog="lumbre.server.daemon")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--ready-fd", type=int)
    parser.add_argument("--stays", action="store_true")
    asked = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")

    def tell(word: dict[str, object]) -> None:
        if asked.ready_fd is not None:
            with suppress(OSError):
                os.write(asked.ready_fd, json.dumps(word).encode() + b"\n")
                os.close(asked.ready_fd)

    try:
        flags = dict(item.partition("=")[::2] for item in asked.set)
        config = load(os.environ, flags)
        config.folders.make()
        with owned(config.folders, "household", patience_s=_PATIENCE_S) as had:
            if had:
                serve(config, stays=asked.stays, ready=lambda: tell({"ready": True}))
            else:
                tell({"ready": True})  # another one serves: the command attaches to that
    except LumbreError as error:
        from lumbre.server.errors import as_json

        tell(as_json(error))
        _log.error("%s", error)
        return 1
    return 0


def serve(config: Config, *, stays: bool, ready: Callable[[], None]) -> None:
    """Answer on the home's socket until the household ends. The caller holds its lock.

    Call from the main thread: SIGTERM and SIGINT end it as `lumbre stop` does.
    """
    folders = config.folders
    door = listen(folders.socket)
    note = Note(
        pid=os.getpid(),
        started=time.time(),
        fingerprint=config.fingerprint,
        version=VERSION,
        stays=stays,
        socket=str(folders.socket),
    )
    write_note(folders, note)
    life = _Life()
    # uvicorn ends on these, and raises them again when it is done: then they say nothing new
    before = {number: signal.signal(number, life.told) for number in _ENDS}
    try:
        idle_s = None if stays else config.settings.household.idle_s
        asyncio.run(_serve(config, door, life, idle_s, ready, opens=stays))
    finally:
        door.close()
        remove_note(folders, os.getpid())
        for number, handler in before.items():
            signal.signal(number, handler)


class _Life:
    """Whether a household is to end: known also before its loop runs, and from other threads."""

    def __init__(self) -> None:
        self._is_over = threading.Event()
        self._end: Callable[[], None] | None = None

    def begins(self, end: Callable[[], None]) -> None:
        """From now on `end` ends it; at once, if it was to end before it began."""
        self._end = end
        if self._is_over.is_set():
            end()

    def ends(self) -> None:
        """It is to end, now or as soon as it has begun."""
        self._is_over.set()
        if self._end is not None:
            self._end()

    def told(self, *_: object) -> None:
        """As a signal handler."""
        self.ends()


@contextmanager
def within(config: Config) -> Iterator[Path]:
    """A household inside this process, in a thread, for the time of the block: its socket.

    Raises:
        LumbreError: it could not open.
    """
    _sweep(config)
    path = config.folders.run / f"own-{os.getpid()}.sock"
    life = _Life()
    opened = threading.Event()
    failed: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(_serve(config, door, life, None, opened.set))
        except BaseException as error:
            failed.append(error)  # raised in the caller's thread
        finally:
            opened.set()

    with ExitStack() as stack:
        # no ctrl-C between having something and being sure to give it back
        with _uninterrupted():
            door = listen(path)
            stack.callback(path.unlink, missing_ok=True)
            stack.callback(door.close)
            thread = threading.Thread(target=run, name="household")
            thread.start()
            stack.callback(thread.join)
            stack.callback(life.ends)
        opened.wait()
        if failed:
            raise failed[0]
        yield path


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """ctrl-C that comes in the block is heard at its end."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _sweep(config: Config) -> None:
    """Take away the sockets of commands that were killed."""
    for path in config.folders.run.glob("own-*.sock"):
        pid = path.stem.removeprefix("own-")
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            path.unlink(missing_ok=True)


async def _serve(
    config: Config,
    door: socket,
    life: _Life,
    idle_s: float | None,
    ready: Callable[[], None],
    *,
    opens: bool = False,
) -> None:
    import uvicorn

    from lumbre.server.app import make_app
    from lumbre.server.household import Household

    household = Household(config)

    loop = asyncio.get_running_loop()
    is_over = asyncio.Event()

    class Server(uvicorn.Server):
        """Tells the household that it ends before it waits for the answers in hand.

        It is told to end, where uvicorn's own looks ten times a second whether it is to.
        """

        async def main_loop(self) -> None:
            await self.on_tick(0)
            while not self.should_exit:
                await is_over.wait()
                is_over.clear()

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            super().handle_exit(sig, frame)
            loop.call_soon_threadsafe(is_over.set)

        async def shutdown(self, sockets: list[socket] | None = None) -> None:
            household.ends()
            await super().shutdown(sockets)

    server = Server(
        uvicorn.Config(
            make_app(household, ready),
            log_config=None,
            access_log=False,
            lifespan="on",
            server_header=False,
            date_header=False,  # it would be the date of the household's start
        )
    )

    def end() -> None:
        if server.started:
            server.should_exit = True
            is_over.set()
        else:  # it would break off its own start, and complain of that
            loop.call_later(_STARTING_S, end)

    def end_from_anywhere() -> None:
        with suppress(RuntimeError):  # the loop has ended by itself meanwhile
            loop.call_soon_threadsafe(end)

    household.on_stop = end
    life.begins(end_from_anywhere)
    watch = asyncio.create_task(_watch(household, idle_s, door, end))
    opening = asyncio.create_task(_open(household)) if opens else None
    try:
        await server.serve(sockets=[door])
    finally:
        for task in (watch, opening):
            if task is not None:
                task.cancel()
        await household.close()


async def _open(household: "Household") -> None:
    """Load the eager models; what keeps one from loading is told to whoever asks for it."""
    try:
        async for event in household.open():
            if event["event"] == "loaded":
                _log.info("%s ready in %.1f s", event["model"], event["load_s"])
    except LumbreError as error:
        _log.warning("%s", error)


async def _watch(
    household: "Household", idle_s: float | None, door: socket, end: Callable[[], None]
) -> None:
    """Ends a household that nobody has used for `idle_s`, or whose door nobody can find.

    One that answers is in use. A door is lost when the home was deleted.
    """
    path = Path(door.getsockname())
    while path.is_socket():
        left_s = (idle_s - household.quiet_s()) if idle_s is not None else _LOOK_S
        if left_s <= 0:
            break
        await asyncio.sleep(min(_LOOK_S, max(0.05, left_s)))
    _log.info("nobody wants anything, or the home is gone")
    end()


if __name__ == "__main__":
    status = main()
    logging.shutdown()
    sys.stderr.flush()
    # its note is gone already: taking the interpreter apart takes a busy machine a second, in
    # which a process would be there that nobody can find
    os._exit(status)
