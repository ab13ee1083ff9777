"""Reach the household in the background, starting it if it is not there.

Standard library only: a command that attaches to a warm household has little else to load.
"""

import http.client
import json
import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lumbre.core.errors import HouseholdDied, HouseholdFailed
from lumbre.server.errors import from_json
from lumbre.server.socket import Note, is_owned, owned, read_note, remove_note
from lumbre.version import VERSION

if TYPE_CHECKING:
    from lumbre.cli.session import Session

_START_TIMEOUT_S = 60.0
_BUSY_POLL_S = 0.05


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("lumbre")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(str(self._path))


class Client:
    """Speaks to one household."""

    def __init__(self, path: Path, session: "Session", pid: int) -> None:
        self.path = path
        self.pid = pid
        self._session = session

    def get(self, target: str) -> Any:
        """The JSON a GET answers with."""
        return self._once("GET", target, None)

    def post(self, target: str, body: Mapping[str, object] | None = None) -> Any:
        """The JSON a POST answers with."""
        return self._once("POST", target, body or {})

    def delete(self, target: str, body: Mapping[str, object]) -> Any:
        """The JSON a DELETE answers with."""
        return self._once("DELETE", target, body)

    def text(self, target: str) -> str:
        """The body of a GET, as text."""
        connection = _Connection(self.path)
        try:
            connection.request("GET", target)
            return connection.getresponse().read().decode()
        except (OSError, http.client.HTTPException) as error:
            raise self._lost() from error
        finally:
            connection.close()

    def stream(self, target: str, body: Mapping[str, object]) -> Iterator[dict[str, Any]]:
        """The events a POST answers with. Closing the iterator, or ctrl-C, ends the work there.

        Raises:
            LumbreError: the one the household sent.
            HouseholdDied: it went away before the last event.
        """
        connection = _Connection(self.path)
        finished = False
        try:
            response = self._ask(connection, "POST", target, body)
            for line in response:
                event = json.loads(line)
                self._raise(event)
                finished = event["event"] == "done"
                yield event
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise self._lost() from error
        finally:
            connection.close()
        if not finished:
            raise self._lost()

    def _once(self, method: str, target: str, body: Mapping[str, object] | None) -> Any:
        connection = _Connection(self.path)
        try:
            return json.loads(self._ask(connection, method, target, body).read())
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise self._lost() from error
        finally:
            connection.close()

    def _ask(
        self,
        connection: _Connection,
        method: str,
        target: str,
        body: Mapping[str, object] | None,
    ) -> http.client.HTTPResponse:
        content = None if body is None else json.dumps(body).encode()
        connection.request(method, target, content, {"Content-Type": "application/json"})
        response = connection.getresponse()
        if response.status >= 400:
            self._raise(json.loads(response.read()))
            raise self._failed(f"HTTP {response.status}")
        return response

    def _raise(self, event: dict[str, Any]) -> None:
        if "error" in event:
            raise from_json(event) or self._failed(str(event["error"]))

    def _lost(self) -> HouseholdDied:
        return HouseholdDied(pid=self.pid, log=str(self._session.config.folders.household_log))

    def _failed(self, reason: str) -> HouseholdFailed:
        return HouseholdFailed(reason=reason, log=str(self._session.config.folders.household_log))


def running(session: "Session") -> Note | None:
    """Who serves this home now, without starting anyone."""
    folders = session.config.folders
    note = read_note(folders)
    return note if note and folders.run.is_dir() and is_owned(folders, "household") else None


def attach(session: "Session") -> Client:
    """A client of the household that serves this home with these settings.

    One with other settings, or of another version, is asked to end first, unless it was
    started by `lumbre serve`. Two commands at once start one household.

    Raises:
        HouseholdFailed: it did not start.
    """
    config = session.config
    note = running(session)
    if note is not None and _suits(note, session):
        return Client(config.folders.socket, session, note.pid)
    session.prepare()
    with owned(config.folders, "start", patience_s=_START_TIMEOUT_S):
        note = running(session)
        if note is not None and not _suits(note, session):
            end(session, note)
            note = None
        if note is None:
            _tell_of_a_crash(session)
            _spawn(session)
            note = read_note(config.folders)
    if note is None:
        raise HouseholdFailed(reason="it is gone already", log=str(config.folders.household_log))
    return Client(config.folders.socket, session, note.pid)


def end(session: "Session", note: Note) -> None:
    """Ask a household to end and wait until it has; answers in hand are finished."""
    folders = session.config.folders
    Client(folders.socket, session, note.pid).post("/lumbre/stop")
    while is_owned(folders, "household") or _runs(note.pid):
        time.sleep(_BUSY_POLL_S)


def _runs(pid: int) -> bool:
    """Whether a process is there; one that only waits to be reaped is not."""
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return Path("/proc/self").exists() is False


def _suits(note: Note, session: "Session") -> bool:
    if note.fingerprint == session.config.fingerprint and note.version == VERSION:
        return True
    if note.stays:
        session.note("cli.household_differs", pid=note.pid)
        return True
    return False


def _tell_of_a_crash(session: "Session") -> None:
    folders = session.config.folders
    note = read_note(folders)
    if note is not None:
        session.note("cli.household_crashed", pid=note.pid, log=str(folders.household_log))
        remove_note(folders, note.pid)


def _spawn(session: "Session") -> None:
    """Start the household and wait until it answers, or says why it does not."""
    import select
    import subprocess

    folders = session.config.folders
    settings = [f"--set={key}={value}" for key, value in session.flags.settings.items()]
    ours, theirs = os.pipe()
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    log = os.open(folders.household_log, flags, 0o600)
    try:
        subprocess.Popen(
            [sys.executable, "-P", "-m", "lumbre.server.daemon", f"--ready-fd={theirs}", *settings],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(theirs,),
            start_new_session=True,
            cwd=folders.home,  # not where the command stood: that may be unmounted one day
            env=os.environ
            | {"LUMBRE_HOME": str(folders.home), "LUMBRE_MODELS": str(folders.weights)},
        )
        os.close(theirs)
        ready, _, _ = select.select([ours], [], [], _START_TIMEOUT_S)
        word = os.read(ours, 65536) if ready else b""
    finally:
        os.close(ours)
        os.close(log)
    told = json.loads(word) if word else {}
    if "ready" not in told:
        raise from_json(told) or HouseholdFailed(
            reason=_last_line(folders.household_log) if ready else "no answer in time",
            log=str(folders.household_log),
        )


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it ended silently")
