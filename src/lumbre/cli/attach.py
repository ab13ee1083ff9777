"""Find the household of this home, starting it if it is not there."""

import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lumbre.cli.client import Address, Client
from lumbre.cli.render import Moving
from lumbre.core.errors import HouseholdDied, HouseholdFailed
from lumbre.server.errors import from_json
from lumbre.server.socket import Note, is_owned, owned, read_note, remove_note
from lumbre.version import VERSION

if TYPE_CHECKING:
    from lumbre.cli.session import Session

_START_TIMEOUT_S = 60.0
_BUSY_POLL_S = 0.05


def running(session: "Session") -> Note | None:
    """Who serves this home now, without starting anyone."""
    folders = session.config.folders
    note = read_note(folders)
    return note if note is not None and is_owned(folders, "household") else None


def attach(session: "Session") -> Client:
    """A client of the household that serves this home with these settings.

    One with other settings, or of another version, is asked to end first, unless it was
    started by `lumbre serve`. Two commands at once start one household.

    Raises:
        HouseholdFailed: it did not start.
    """
    note = running(session)
    if note is not None and _suits(note, session):
        return Client(_address(session, note), lambda: _find(session))
    return Client(_find(session))


def reach(session: "Session", note: Note) -> Client:
    """A client of the household that is running, whatever its settings."""
    return Client(_address(session, note))


def end(session: "Session", note: Note) -> None:
    """Ask a household to end and wait until it has; answers in hand are finished."""
    folders = session.config.folders
    with suppress(HouseholdDied):  # it is ending already
        reach(session, note).post("/lumbre/stop")
    with Moving() as moving:
        while is_owned(folders, "household") or _runs(note.pid):
            moving.show(session.say("ask.ending"))
            time.sleep(_BUSY_POLL_S)


def _find(session: "Session") -> Address:
    """Where the household is, once it suits and answers; one command at a time does this."""
    session.prepare()
    folders = session.config.folders
    with owned(folders, "start", patience_s=_START_TIMEOUT_S) as had:
        if not had:
            raise HouseholdFailed(
                reason="another command has been starting it for a minute",
                log=str(folders.household_log),
            )
        note = running(session)
        if note is not None and not (_suits(note, session) and _answers(note)):
            end(session, note)
            note = None
        if note is None:
            _tell_of_a_crash(session)
            _spawn(session)
            note = read_note(folders)
        if note is None:
            raise HouseholdFailed(reason="it is gone already", log=str(folders.household_log))
        return _address(session, note)


def _address(session: "Session", note: Note) -> Address:
    return Address(Path(note.socket), note.pid, session.config.folders.household_log)


def _suits(note: Note, session: "Session") -> bool:
    if note.fingerprint == session.config.fingerprint and note.version == VERSION:
        return True
    if note.stays:
        session.note("cli.household_differs", pid=note.pid)
        return True
    return False


def _answers(note: Note) -> bool:
    """Whether it still takes questions; one that is ending does not."""
    import socket

    with socket.socket(socket.AF_UNIX) as door:
        try:
            door.connect(note.socket)
        except OSError:
            return False
    return True


def _runs(pid: int) -> bool:
    """Whether a process is there; one that only waits to be reaped is not."""
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return not Path("/proc/self").exists()


def _tell_of_a_crash(session: "Session") -> None:
    """Name a household that ended without taking its note along, and keep what it wrote."""
    folders = session.config.folders
    note = read_note(folders)
    if note is not None:
        log = folders.household_log
        kept = log.with_suffix(".log.1")
        if log.exists():
            log.replace(kept)
        session.note("cli.household_crashed", pid=note.pid, log=str(kept))
        remove_note(folders, note.pid)


def _spawn(session: "Session") -> None:
    """Start the household and wait until it answers, or says why it does not."""
    import select
    import subprocess

    folders = session.config.folders
    settings = [f"--set={key}={value}" for key, value in session.flags.settings.items()]
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW
    log = os.open(folders.household_log, flags, 0o600)
    ours, theirs = os.pipe()
    try:
        child = subprocess.Popen(
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
        child.returncode = 0  # it outlives this command: nobody waits for it here
        os.close(theirs)
        theirs = -1
        ready, _, _ = select.select([ours], [], [], _START_TIMEOUT_S)
        word = os.read(ours, 65536) if ready else b""
    finally:
        for handle in (ours, theirs, log):
            if handle >= 0:
                os.close(handle)
    told = json.loads(word) if word else {}
    if "ready" not in told:
        raise from_json(told) or HouseholdFailed(
            reason=_last_line(folders.household_log) if ready else "no answer in time",
            log=str(folders.household_log),
        )


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it ended silently")
