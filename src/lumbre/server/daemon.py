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
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING

from lumbre.config import Config, load
from lumbre.core.errors import LumbreError
from lumbre.server.socket import Note, listen, owned, remove_note, write_note

if TYPE_CHECKING:
    from lumbre.server.household import Household

_log = logging.getLogger(__name__)

_LOOK_S = 5.0
"""Between two looks whether the door is still where commands look for it."""
_PATIENCE_S = 1.0
"""A command that only looks who serves holds the lock for an instant."""


def main(arguments: list[str] | None = None) -> int:
    """Serve in this process. What went wrong before serving is told through `--ready-fd`."""
    parser = argparse.ArgumentParser(prog="lumbre.server.daemon")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--ready-fd", type=int)
    parser.add_argument("--stays", action="store_true")
    asked = parser.parse_args(arguments)
    # uvicorn ends on these and then raises them again: the end is to be clean all the same
    signal.signal(signal.SIGTERM, lambda *_: None)
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
    """Answer on the home's socket until the household ends. The caller holds its lock."""
    from lumbre.version import VERSION

    folders = config.folders
    door = listen(folders.socket)
    write_note(folders, Note(os.getpid(), time.time(), config.fingerprint, VERSION, stays))
    try:
        idle_s = None if stays else config.settings.household.idle_s
        asyncio.run(_serve(config, door, idle_s, ready, opens=stays))
    finally:
        door.close()
        remove_note(folders, os.getpid())


@contextmanager
def within(config: Config) -> Iterator[Path]:
    """A household inside this process, in a thread, for the time of the block: its socket.

    Raises:
        LumbreError: it could not open.
    """
    path = config.folders.run / f"own-{os.getpid()}.sock"
    door = listen(path)
    opened = threading.Event()
    ending: list[Callable[[], None]] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(_serve(config, door, None, opened.set, ending=ending))
        except BaseException as error:
            failed.append(error)
        finally:
            opened.set()

    thread = threading.Thread(target=run, name="household")
    thread.start()
    try:
        opened.wait()
        if failed:
            raise failed[0]
        yield path
    finally:
        for end in ending:
            end()
        thread.join()
        door.close()
        path.unlink(missing_ok=True)


async def _serve(
    config: Config,
    door: socket,
    idle_s: float | None,
    ready: Callable[[], None],
    *,
    opens: bool = False,
    ending: list[Callable[[], None]] | None = None,
) -> None:
    import uvicorn

    from lumbre.server.app import make_app
    from lumbre.server.household import Household

    household = Household(config)
    server = uvicorn.Server(
        uvicorn.Config(
            make_app(household, ready),
            log_config=None,
            access_log=False,
            lifespan="on",
            timeout_graceful_shutdown=30,
            server_header=False,
        )
    )
    loop = asyncio.get_running_loop()

    def end() -> None:
        server.should_exit = True

    household.on_stop = end
    if ending is not None:
        ending.append(partial(_call_in, loop, end))
    watch = asyncio.create_task(_watch(household, idle_s, door, end))
    opening = asyncio.create_task(_open(household)) if opens else None
    try:
        await server.serve(sockets=[door])
    finally:
        for task in (watch, opening):
            if task is not None:
                task.cancel()
        await household.close()


def _call_in(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # it has ended by itself meanwhile
        loop.call_soon_threadsafe(call)


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
    sys.exit(main())
