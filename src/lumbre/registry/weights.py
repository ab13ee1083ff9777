"""Which weights files are here, and whether they are the ones the manifests name.

A file's checksum is computed once and remembered with its size and date; only a file that
changed is read again. Files inside an installed package are found without running its code.
"""

import hashlib
import importlib.util
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Literal

from lumbre.core.errors import (
    BeingPulled,
    ComesWithLumbre,
    PathClimbsOut,
    WeightsGone,
    WeightsMissing,
    WrongChecksum,
)
from lumbre.core.model import Manifest, WeightsFile
from lumbre.registry.events import Verifying
from lumbre.registry.transfer import Partial, leftovers, only_one, reading
from lumbre.store import Schema, Store

State = Literal["absent", "partial", "present", "corrupt"]
Report = Callable[[Verifying], None]

SCHEMA = Schema(
    part="weights",
    migrations=(
        "CREATE TABLE weights_checked ("
        " path TEXT PRIMARY KEY, size_bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,"
        " sha256 TEXT NOT NULL) STRICT",
    ),
)
_PACKAGE = "package:"
_PIECE_BYTES = 4 << 20


def unheard(_: object) -> None:
    """For callers that show no progress."""


def comes_with_lumbre(manifest: Manifest) -> bool:
    """Whether every file lies inside an installed package."""
    return bool(manifest.weights) and all(in_package(file) for file in manifest.weights)


def in_package(file: WeightsFile) -> bool:
    return file.path.startswith(_PACKAGE)


def total_bytes(manifest: Manifest) -> int | None:
    """The size of every file; None when the manifest leaves one out."""
    sizes = [file.size_bytes for file in manifest.weights]
    return None if None in sizes else sum(size or 0 for size in sizes)


class Weights:
    """The weights folder and what is remembered of the files that manifests name."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.folder = folder
        self._store = store
        store.bring(SCHEMA)

    def path(self, manifest: Manifest, file: WeightsFile) -> Path:
        """Where a file is, or will be.

        Raises:
            WeightsMissing: inside a package that is not installed.
            PathClimbsOut: no path of ours.
        """
        if ".." in PurePosixPath(file.path.removeprefix(_PACKAGE)).parts:
            raise PathClimbsOut(path=manifest.id, value=file.path)
        if not in_package(file):
            return self.folder / file.path
        found = _inside_package(file.path.removeprefix(_PACKAGE))
        if found is None:
            raise WeightsMissing(model=manifest.id)
        return found

    def is_ours(self, manifest: Manifest, file: WeightsFile) -> bool:
        """Whether the file lies in the weights folder, links followed, and so may be changed."""
        if in_package(file):
            return False
        place = self.path(manifest, file).parent.resolve()
        return place.is_relative_to(self.folder.resolve())

    def gone(self, manifest: Manifest) -> Path | None:
        """The first file of a model that was only pointed to, and is not there any more."""
        for file in manifest.weights:
            if self._is_elsewhere(manifest, file):
                path = self.path(manifest, file)
                if not path.exists():
                    return path
        return None

    def refuse_gone(self, manifest: Manifest) -> None:
        """Nothing can bring a file back that lumbre only pointed to.

        Raises:
            WeightsGone: such a file is not there any more.
        """
        if (path := self.gone(manifest)) is not None:
            raise WeightsGone(model=manifest.id, path=path)

    def state(self, manifest: Manifest) -> State:
        """What a look at the folder tells, nothing being read: `corrupt` means another size
        or a checksum already found wrong; `present` that nothing speaks against the files."""
        states = {self._file_state(manifest, file) for file in manifest.weights}
        if "corrupt" in states:
            return "corrupt"
        if states <= {"present"}:
            return "present"
        return "absent" if states == {"absent"} else "partial"

    def bytes_on_disk(self, manifest: Manifest) -> int:
        """What the model's files take now, those still coming included."""
        return sum(
            _size_bytes(path) + _size_bytes(leftovers(path)[0]) for path in self._paths(manifest)
        )

    def missing_bytes(self, manifest: Manifest) -> int | None:
        """What a pull still has to bring; None when the manifest does not say.

        It brings nothing to a place outside the weights folder.
        """
        missing_bytes = 0
        for file in manifest.weights:
            if self._file_state(manifest, file) == "present" or self._is_elsewhere(manifest, file):
                continue
            if file.size_bytes is None:
                return None
            partial = Partial(self.path(manifest, file))
            missing_bytes += max(0, file.size_bytes - partial.size_bytes)
        return missing_bytes

    def verify(self, manifest: Manifest, report: Report = unheard, *, afresh: bool = False) -> None:
        """Compare every file with its checksum; `afresh` reads also what is remembered.

        Raises:
            WeightsGone: a file that lumbre only pointed to is not there any more.
            WeightsMissing: a file is not here.
            WrongChecksum: a file holds other bytes.
        """
        self.refuse_gone(manifest)
        for file in manifest.weights:
            path = self.path(manifest, file)
            if not path.is_file():
                raise WeightsMissing(model=manifest.id)
            found = self.sha256(path, report, afresh=afresh)
            if found != file.sha256:
                raise WrongChecksum(model=manifest.id, path=path, expected=file.sha256, found=found)

    def files_for_use(
        self, manifest: Manifest, *, skip_checksum: bool = False, report: Report = unheard
    ) -> Mapping[str, Path]:
        """What a worker may open: part -> path, the first file of each part.

        Raises:
            WeightsGone, WeightsMissing, WrongChecksum: as `verify`; `skip_checksum` skips only
                the last.
        """
        self.refuse_gone(manifest)
        paths = [(file, self.path(manifest, file)) for file in manifest.weights]
        if not all(path.is_file() for _, path in paths):
            raise WeightsMissing(model=manifest.id)
        if not skip_checksum:
            self.verify(manifest, report)
        files: dict[str, Path] = {}
        for file, path in paths:
            files.setdefault(file.part, path)
        return files

    def remove(self, manifest: Manifest, others: Iterable[Manifest] = ()) -> tuple[Path, ...]:
        """Delete a model's files, finished or not; returns those that were there.

        Files outside the weights folder stay, and those that `others` name too.

        Raises:
            ComesWithLumbre: there is nothing that could be deleted.
            BeingPulled: another lumbre is writing them.
        """
        if comes_with_lumbre(manifest):
            raise ComesWithLumbre(model=manifest.id)
        kept = {path for other in others if other != manifest for path in self._paths(other)}
        removed: list[Path] = []

        def occupied() -> None:
            raise BeingPulled(model=manifest.id)

        for file in manifest.weights:
            if not self.is_ours(manifest, file):
                continue
            path = self.path(manifest, file)
            if path in kept or not path.parent.is_dir():
                continue
            with only_one(path, occupied):
                there = path.is_file() or Partial(path).size_bytes > 0
                with reading(path):
                    path.unlink(missing_ok=True)
                Partial(path).discard()
            self._forget(path)
            removed += [path] * there
        return tuple(removed)

    def sha256(self, path: Path, report: Report = unheard, *, afresh: bool = False) -> str:
        """The checksum of a file, read only when it changed since the last time.

        Raises:
            HomeNotUsable: it cannot be read.
        """
        with reading(path):
            before = path.stat()
            known = None if afresh else self._known(path, before)
            if known is not None:
                return known
            found = sha256_of(path, report)
            after = path.stat()
        if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns):
            self.remember(path, found)
        return found

    def remember(self, path: Path, sha256: str) -> None:
        """Keep a checksum that was just computed, as long as the file stays as it is."""
        with reading(path):
            facts = path.stat()
        with self._store.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO weights_checked VALUES (?, ?, ?, ?)",
                (_key(path), facts.st_size, facts.st_mtime_ns, sha256),
            )

    def _known(self, path: Path, facts: os.stat_result) -> str | None:
        with self._store.reading() as connection:
            rows = list(
                connection.execute(
                    "SELECT sha256 FROM weights_checked"
                    " WHERE path = ? AND size_bytes = ? AND mtime_ns = ?",
                    (_key(path), facts.st_size, facts.st_mtime_ns),
                )
            )
        return next((str(sha256) for (sha256,) in rows), None)

    def _forget(self, path: Path) -> None:
        with self._store.writing() as connection:
            connection.execute("DELETE FROM weights_checked WHERE path = ?", (_key(path),))

    def _paths(self, manifest: Manifest) -> list[Path]:
        paths = []
        for file in manifest.weights:
            try:
                paths.append(self.path(manifest, file))
            except WeightsMissing:
                continue
        return paths

    def _file_state(self, manifest: Manifest, file: WeightsFile) -> State:
        try:
            path = self.path(manifest, file)
            facts = path.stat()
        except (WeightsMissing, OSError):
            return "partial" if self._is_coming(manifest, file) else "absent"
        known = self._known(path, facts)
        wrong_size = file.size_bytes not in (None, facts.st_size)
        return "corrupt" if wrong_size or known not in (None, file.sha256) else "present"

    def _is_elsewhere(self, manifest: Manifest, file: WeightsFile) -> bool:
        return not in_package(file) and not self.is_ours(manifest, file)

    def _is_coming(self, manifest: Manifest, file: WeightsFile) -> bool:
        return not in_package(file) and Partial(self.path(manifest, file)).size_bytes > 0


def sha256_of(path: Path, report: Report = unheard) -> str:
    """The checksum of a file's bytes as they are now."""
    digest, piece, done_bytes = hashlib.sha256(), bytearray(_PIECE_BYTES), 0
    with path.open("rb", buffering=0) as file:
        whole_bytes = os.fstat(file.fileno()).st_size
        while count := file.readinto(piece):
            digest.update(memoryview(piece)[:count])
            done_bytes += count
            report(Verifying(path, done_bytes, max(done_bytes, whole_bytes)))
    return digest.hexdigest()


def _inside_package(text: str) -> Path | None:
    """`MODULE/FILE` found by where the module lies; None when it is not installed."""
    module, _, inside = text.partition("/")
    top, *below = module.split(".")
    try:
        # Of a dotted name find_spec would import the parents: their code must not run.
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    folders = list(spec.submodule_search_locations or ()) if spec else []
    places = [Path(folder, *below, inside) for folder in folders]
    return next((place for place in places if place.is_file()), next(iter(places), None))


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _key(path: Path) -> str:
    return os.fsencode(path.absolute()).decode("utf-8", "backslashreplace")
