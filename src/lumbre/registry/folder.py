"""The models a person has: the manifests of one folder, always as the files are now.

A manifest that cannot be used does not take the others down: it is left out, and its
error comes when it is asked for, when nothing else answers, and from `models`, which
speaks for the whole folder.
"""

import difflib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from lumbre.core.errors import (
    BadManifest,
    CannotDo,
    DuplicateId,
    ManifestUnreadable,
    NoPrimary,
    SeveralPrimaries,
    UnknownModel,
)
from lumbre.core.model import CHAT_ROLES, ROLES, Capability, Manifest, Role
from lumbre.words import Sentence

_ENDINGS = (".yaml", ".yml")
_ALL = "all"
_KINDS: tuple[str, ...] = (*ROLES, *get_args(Capability))
_NEAREST = 5
_ALIKE = 0.5

_Version = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Read:
    """One file as it was when it was last read."""

    version: _Version
    result: Manifest | BadManifest


class Registry:
    """The manifests of a folder. Nothing is read before the first question.

    Each question looks at the folder, and reads again only the files that changed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[Path, _Read] = {}

    def models(self) -> tuple[Manifest, ...]:
        """Every model, by role in the order of the roles, then by id.

        Raises:
            BadManifest: the leaf of the first manifest that cannot be used.
        """
        good, broken = self._look()
        if broken:
            raise broken[0]
        return good

    def broken(self) -> tuple[BadManifest, ...]:
        """What is wrong with the manifests that cannot be used, one error for each file."""
        return self._look()[1]

    def usable(self) -> tuple[Manifest, ...]:
        """The models whose manifests are in order, whatever the others are like."""
        return self._look()[0]

    def in_effect(self, primary_id: str | None = None) -> tuple[Manifest, ...]:
        """The usable models with the roles they have once the config has named a primary.

        Raises:
            UnknownModel, CannotDo: as `primary`.
        """
        if primary_id is None:
            return self.usable()
        primary = self.primary(primary_id)
        others = (model for model in self.usable() if model.id != primary_id)
        return _in_order([primary, *map(_not_primary, others)])

    def get(self, model_id: str) -> Manifest:
        """The model with this id.

        Raises:
            UnknownModel: there is none; knows the nearest ids.
            BadManifest: there is one, and its manifest cannot be used.
        """
        return self._named(model_id, ())

    def find(self, wanted: str) -> list[Manifest]:
        """The models meant by an id, else a role, else a capability, or by `all`.

        Raises:
            UnknownModel: nothing is; knows the nearest names.
            BadManifest: nothing usable is, and a manifest cannot be used; `all`: any cannot.
        """
        if wanted == _ALL:
            return list(self.models())
        good, broken = self._look()
        for is_meant in _readings(wanted):
            if found := [model for model in good if is_meant(model)]:
                return found
        if wanted in _KINDS and broken:
            raise broken[0]
        return [self._named(wanted, (*_KINDS, _ALL))]

    def for_role(self, role: Role) -> tuple[Manifest, ...]:
        """The usable models of a role, by id.

        Raises:
            BadManifest: there is none, and a manifest cannot be used.
        """
        good, broken = self._look()
        found = tuple(model for model in good if model.role == role)
        if not found and broken:
            raise broken[0]
        return found

    def primary(self, configured_id: str | None = None) -> Manifest:
        """The one that speaks: the config's choice, else the only one with the role.

        It has the role primary and loads at start, whatever its manifest says.

        Raises:
            UnknownModel, CannotDo: the configured one is not there, or is no chat model.
            NoPrimary, SeveralPrimaries: the roles do not decide.
            BadManifest: the one that would decide cannot be used.
        """
        if configured_id is not None:
            chosen = self.get(configured_id)
            if chosen.role not in CHAT_ROLES:
                raise CannotDo(model=chosen.id, what="chat")
            return replace(chosen, role="primary", load=None, idle_unload_seconds=None)
        primaries = self.for_role("primary")
        if len(primaries) > 1:
            raise SeveralPrimaries(path=self.folder, ids=[model.id for model in primaries])
        if not primaries:
            raise NoPrimary(path=self.folder)
        return primaries[0]

    def path_of(self, model_id: str) -> Path:
        """The file of a model's manifest.

        Raises:
            UnknownModel, BadManifest: as `get`.
        """
        self.get(model_id)
        return next(
            path
            for path, read in self._files.items()
            if isinstance(read.result, Manifest) and read.result.id == model_id
        )

    def _named(self, model_id: str, other_names: tuple[str, ...]) -> Manifest:
        good, broken = self._look()
        for model in good:
            if model.id == model_id:
                return model
        for error in broken:
            if model_id in (error.facts.get("id"), Path(str(error.facts["path"])).stem):
                raise error
        ids = [model.id for model in good]
        near = difflib.get_close_matches(model_id, [*ids, *other_names], _NEAREST, _ALIKE)
        raise UnknownModel(name=model_id, known=near or ids or ["-"])

    def _look(self) -> tuple[tuple[Manifest, ...], tuple[BadManifest, ...]]:
        """The usable models, and the errors of the others; both as the folder is now."""
        broken: list[BadManifest] = []
        by_id: dict[str, list[tuple[Path, Manifest]]] = {}
        try:
            self._read_again()
        except OSError as error:
            reason = Sentence("manifest.unreadable", why=error.strerror or str(error))
            broken.append(ManifestUnreadable(path=self.folder, reason=reason))
        for path, read in self._files.items():
            if isinstance(read.result, Manifest):
                by_id.setdefault(read.result.id, []).append((path, read.result))
            else:
                broken.append(read.result)
        good = []
        for model_id, [(first, model), *others] in by_id.items():
            if others:
                broken.append(DuplicateId(path=first, id=model_id, other=others[0][0]))
            else:
                good.append(model)
        return _in_order(good), tuple(broken)

    def _read_again(self) -> None:
        from lumbre.registry.manifest import load_manifest

        files: dict[Path, _Read] = {}
        for path, version in sorted(_manifests(self.folder)):
            before = self._files.get(path)
            if before is not None and before.version == version:
                files[path] = before
                continue
            try:
                files[path] = _Read(version, load_manifest(path))
            except BadManifest as error:
                files[path] = _Read(version, error)
        self._files = files


def _manifests(folder: Path) -> Iterator[tuple[Path, _Version]]:
    if not folder.exists():
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(_ENDINGS) and not entry.name.startswith("."):
                try:
                    facts = entry.stat()
                    version = (facts.st_mtime_ns, facts.st_size, facts.st_ino)
                except OSError:  # a link to nothing, or gone this moment: reading it will tell
                    version = (0, 0, 0)
                yield folder / entry.name, version


def _readings(wanted: str) -> tuple[Callable[[Manifest], bool], ...]:
    return (
        lambda model: model.id == wanted,
        lambda model: model.role == wanted,
        lambda model: wanted in model.capabilities,
    )


def _in_order(models: list[Manifest]) -> tuple[Manifest, ...]:
    return tuple(sorted(models, key=lambda model: (ROLES.index(model.role), model.id)))


def _not_primary(model: Manifest) -> Manifest:
    return replace(model, role="secondary") if model.role == "primary" else model
