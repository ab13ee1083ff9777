"""An audit hook that refuses any way beyond loopback, and writes down who tried.

Python calls it for every socket a program of it connects or binds, and for every name it
looks up; children get it through a `sitecustomize` on their path. What an engine does
below Python is seen by the namespace test.
"""

import atexit
import ipaddress
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_folder: Path | None = None
_lifted = False

_SOCKETS = ("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg")
_LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
"""Source: Python's library reference, "Audit events table"."""

_CHILD = """
import sys
sys.path.insert(0, {repository!r})
from tests.guard.local_only import install
install({log!r})
sys.path.remove({repository!r})
"""


def install_here_and_in_children() -> None:
    """From now on, in this process and all that inherit its environment."""
    global _folder  # noqa: PLW0603
    _folder = Path(tempfile.mkdtemp(prefix="lumbre-guard-"))
    atexit.register(shutil.rmtree, _folder, ignore_errors=True)
    repository = str(Path(__file__).parents[2])
    _log().touch()
    (_folder / "sitecustomize.py").write_text(_CHILD.format(repository=repository, log=str(_log())))
    paths = [str(_folder), str(Path(repository) / "src"), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    install(str(_log()))


def _log() -> Path:
    assert _folder is not None
    return _folder / "seen"


def install(log: str) -> None:
    """Refuse and write down, in this process."""

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event.startswith("socket.") and not _lifted:
            host = _host(event, arguments)
            if host is not None and not _is_local(host):
                with Path(log).open("a") as file:
                    file.write(f"{sys.argv[:3]} {event} {host!r}\n")
                raise PermissionError(f"tests stay on this machine: {host!r}")

    sys.addaudithook(hook)


def seen() -> str:
    """Everything that was tried so far."""
    return _log().read_text()


def forget() -> None:
    """After a test that tried on purpose."""
    _log().write_text("")


@contextmanager
def lifted() -> Iterator[None]:
    """For tests that are allowed out: this process and the children it starts meanwhile."""
    global _lifted  # noqa: PLW0603
    before = os.environ["PYTHONPATH"]
    os.environ["PYTHONPATH"] = os.pathsep.join(before.split(os.pathsep)[1:])
    _lifted = True
    try:
        yield
    finally:
        _lifted = False
        os.environ["PYTHONPATH"] = before


def _host(event: str, arguments: tuple[object, ...]) -> object:
    """The machine this is about; None for a Unix socket and for no machine in particular."""
    if event in _LOOKUPS:
        return arguments[0]
    if event in _SOCKETS and isinstance(address := arguments[1], tuple):
        return address[0]
    return None


def _is_local(host: object) -> bool:
    name = os.fsdecode(host) if isinstance(host, bytes) else str(host)
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False
