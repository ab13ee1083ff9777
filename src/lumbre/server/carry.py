"""Carry a household to another machine: everything it knows in one file, and back again.

What goes along: the database (documents, talks), the settings, the manifests. Never weights:
`lumbre models pull` brings those, checked against the manifests.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw
import psutil

from lumbre.assistant import conversation
from lumbre.config import Folders
from lumbre.core.errors import BadArchive, HomeNotEmpty, HouseholdRuns, StoreDamaged
from lumbre.knowledge import cited, places
from lumbre.knowledge import schema as knowledge
from lumbre.planner import records
from lumbre.registry import weights
from lumbre.server.socket import owned, read_note
from lumbre.store import Schema, Store, archive
from lumbre.triggers import chains
from lumbre.version import VERSION
from lumbre.words import Sentence

_OF_ONE_MACHINE = {"weights_checked", "headers", "dry_runs", "calibrations", "trigger_chains"}
"""Tables of what lies on a disk, was measured in a memory, or is done by a process."""
SCHEMAS: tuple[Schema, ...] = (
    conversation.SCHEMA,
    weights.SCHEMA,
    records.SCHEMA,
    knowledge.SCHEMA,
    cited.SCHEMA,
    places.SCHEMA,
    chains.SCHEMA,
)
"""Every part of the database, in the order the household brings them."""

_DATABASE, _SETTINGS, _MANIFESTS = "lumbre.db", "config.toml", "registry"
_ALLOWED = archive.Allowed((_DATABASE, _SETTINGS), _MANIFESTS, ".yaml")
_MADE = ".carry-"
_PATIENCE_S = 2.0


@dataclass(frozen=True, slots=True)
class Carried:
    """What an archive brought, and what it took the place of."""

    documents: int
    talks: int
    kept: tuple[Path, ...]
    """Copies of the files that were there before, beside them."""


def export_home(folders: Folders, target: Path) -> archive.Contents:
    """Write the household to one file, as it is at one moment; it may go on running.

    Raises:
        BadArchive: something else stands at the target, or it cannot be written.
        DiskFull: there is no room for it.
    """
    if target.exists() and not archive.is_archive(target):
        raise BadArchive(path=target, reason=Sentence("errors.bad_archive.in_the_way"))
    with _made(folders) as made:
        copy = made / _DATABASE
        with closing(Store(folders.database)) as store:
            store.copy(copy)
        schemas = _settle(copy)
        files = {_DATABASE: copy}
        if folders.config_file.is_file():
            files[_SETTINGS] = folders.config_file
        for manifest in sorted(folders.registry.glob("*.yaml")):
            if _ALLOWED(f"{_MANIFESTS}/{manifest.name}") and manifest.is_file():
                files[f"{_MANIFESTS}/{manifest.name}"] = manifest
        contents = archive.Contents(VERSION, _now("%Y-%m-%dT%H:%M:%S%z"), schemas)
        return archive.write(target, files, contents)


def import_home(folders: Folders, source: Path, *, replace: bool) -> Carried:
    """Put what an archive holds in place of what is here; what was here is kept beside it.

    Raises:
        BadArchive: it is not one of ours, newer, damaged, or not what it says.
        HomeNotEmpty: there are documents or talks here, and `replace` was not said.
        HouseholdRuns: the household is at work.
    """
    archive.contents_of(source)
    with _resting(folders):
        here = _counts(folders.database) if folders.database.exists() else (0, 0)
        if any(here) and not replace:
            raise HomeNotEmpty(path=folders.home, documents=here[0], talks=here[1])
        with _made(folders) as made:
            contents, files = archive.unpack(source, made, _ALLOWED)
            if _DATABASE not in files:
                missing = Sentence("errors.bad_archive.strange", name=_DATABASE)
                raise BadArchive(path=source, reason=missing)
            came = _check(source, contents, files[_DATABASE])
            if folders.database.exists():
                _fold(folders.database)
            # of talks whose numbers are others' from now on
            shutil.rmtree(folders.states, ignore_errors=True)
            return Carried(*came, tuple(_place(folders, files, keep_database=any(here))))


@contextmanager
def _made(folders: Folders) -> Iterator[Path]:
    """A folder of our own in the home for the time of the block, and those of killed ones gone."""
    for left in folders.home.glob(f"{_MADE}*"):
        pid = left.name.removeprefix(_MADE).partition("-")[0]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
    prefix = f"{_MADE}{os.getpid()}-"
    with tempfile.TemporaryDirectory(
        prefix=prefix, dir=folders.home, ignore_cleanup_errors=True
    ) as made:
        yield Path(made)


@contextmanager
def _resting(folders: Folders) -> Iterator[None]:
    """While the block runs no household serves this home; commands that need one wait."""
    with (
        owned(folders, "start", patience_s=_PATIENCE_S) as starts,
        owned(folders, "household", patience_s=_PATIENCE_S) as serves,
    ):
        if not (starts and serves):
            note = read_note(folders)
            raise HouseholdRuns(pid=note.pid if note else "?")
        yield


def _check(source: Path, contents: archive.Contents, database: Path) -> tuple[int, int]:
    """Bring the database up to this program's version and count what it holds."""
    known = {schema.part: len(schema.migrations) for schema in SCHEMAS}
    newer = Sentence("errors.bad_archive.newer", version=contents.lumbre)
    if any(steps > known.get(part, -1) for part, steps in contents.schemas.items()):
        raise BadArchive(path=source, reason=newer)
    wrong = Sentence("errors.bad_archive.wrong", name=_DATABASE)
    try:
        schemas = _settle(database)
        if any(steps > known.get(part, -1) for part, steps in schemas.items()):
            raise BadArchive(path=source, reason=newer)
        with closing(Store(database)) as store:
            for schema in SCHEMAS:
                store.bring(schema)
            ((state,),) = store.connection().execute("PRAGMA quick_check(1)")
        if state != "ok":
            raise BadArchive(path=source, reason=wrong)
        _fold(database)
        return _counts(database)
    except (apsw.Error, StoreDamaged) as error:
        raise BadArchive(path=source, reason=wrong) from error


def _settle(database: Path) -> dict[str, int]:
    """Make a copy one file, without what is known of one machine; its versions."""
    with closing(apsw.Connection(str(database))) as connection:
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("PRAGMA secure_delete=ON")
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
        for table in tables & _OF_ONE_MACHINE:
            connection.execute(f"DELETE FROM {table}")
        list(connection.execute("PRAGMA journal_mode=DELETE"))
        if "schema_versions" not in tables:
            return {}
        rows = connection.execute("SELECT part, version FROM schema_versions")
        return {str(part): int(version) for part, version in rows}


def _fold(database: Path) -> None:
    """Have everything in the one file, with nothing beside it.

    Raises:
        HouseholdRuns: somebody else has it open.
    """
    with closing(apsw.Connection(str(database))) as connection:
        try:
            ((mode,),) = connection.execute("PRAGMA journal_mode=DELETE")
        except apsw.BusyError:
            mode = "wal"
    if mode != "delete":
        raise HouseholdRuns(pid="?")


def _counts(database: Path) -> tuple[int, int]:
    """Documents and talks."""
    with closing(Store(database)) as store:
        connection = store.connection()
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
        counts = []
        for table in ("documents", "conversations"):
            rows = connection.execute(f"SELECT count(*) FROM {table}") if table in tables else ()
            counts.append(sum(int(count) for (count,) in rows))
    return counts[0], counts[1]


def _place(folders: Folders, files: dict[str, Path], *, keep_database: bool) -> Sequence[Path]:
    """Rename every file to its place, the database last; what stood there gets a dated name."""
    stamp = _now("%Y%m%d-%H%M%S")
    kept = []
    order = sorted(files, key=lambda name: name == _DATABASE)
    for name in order:
        source = files[name]
        target = folders.database if name == _DATABASE else folders.home / name
        target.parent.mkdir(mode=0o700, exist_ok=True)
        wants = keep_database if name == _DATABASE else _differs(source, target)
        if wants and target.exists():
            beside = target.with_name(f"{target.name}.before-{stamp}")
            _double(target, beside)
            kept.append(beside)
        source.replace(target)
    return kept


def _double(target: Path, beside: Path) -> None:
    try:
        os.link(target, beside)
    except OSError:  # a file system without links
        shutil.copy2(target, beside)


def _differs(source: Path, target: Path) -> bool:
    return target.is_file() and source.read_bytes() != target.read_bytes()


def _now(form: str) -> str:
    return time.strftime(form, time.localtime())
