"""The models lumbre starts with: manifests it brings along, written into a person's folder."""

import shutil
import tempfile
import tomllib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal

from lumbre.core.errors import BadManifest, HomeNotUsable, ManifestInTheWay
from lumbre.core.model import Manifest
from lumbre.registry.manifest import load_manifest, save_manifest

Household = Literal["starter", "tiny"]
"""`starter` talks well on an ordinary machine; `tiny` shows that everything works."""

_SHIPPED = Path(__file__).parent / "starter"


def write_household(folder: Path, name: Household, *, force: bool = False) -> list[Path]:
    """Make the registry folder hold a household; returns the files that were written.

    What lumbre wrote itself, for this household or the other, is brought in line without a
    question: a shipped manifest that this household lacks goes. A manifest that was changed
    is kept and nothing is written, unless `force`. The person's own models are not touched.

    Raises:
        ManifestInTheWay: a shipped manifest was changed by hand.
        HomeNotUsable, DiskFull: the folder cannot be written.
    """
    wanted = {folder / f"{model.id}.yaml": model for model in shipped(name)}
    known = _everything_shipped()
    left_over = {folder / f"{model.id}.yaml" for model in known} - set(wanted)
    for path, model in wanted.items():
        if not force and path.exists() and _held(path) not in (model, *known):
            raise ManifestInTheWay(path=path, household=name)
    written = []
    for path, model in wanted.items():
        if _held(path) != model:
            save_manifest(model, path)
            written.append(path)
    for path in sorted(left_over):
        if _held(path) in known:
            _discard(path)
    return written


def begin_household(folder: Path, name: Household) -> None:
    """Make the registry folder where there is none, whole or not at all: another first command
    may look at the same moment. A home that cannot be made is left for whoever makes folders.
    """
    with suppress(OSError):
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=".registry-", dir=folder.parent))
        try:
            write_household(made, name)
            made.rename(folder)
        finally:  # somebody else was first
            shutil.rmtree(made, ignore_errors=True)


def shipped(name: Household) -> tuple[Manifest, ...]:
    """The manifests of a household, as they come with lumbre."""
    with (_SHIPPED / "households.toml").open("rb") as file:
        roles = tomllib.load(file)[name]
    return tuple(
        replace(load_manifest(_SHIPPED / f"{model_id}.yaml"), role=role)
        for model_id, role in roles.items()
    )


def _everything_shipped() -> tuple[Manifest, ...]:
    return (*shipped("starter"), *shipped("tiny"))


def _held(path: Path) -> Manifest | None:
    """What a file of the folder says now; None where it says nothing that can be used."""
    try:
        return load_manifest(path)
    except BadManifest:
        return None


def _discard(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise HomeNotUsable(path=path.parent, reason=error.strerror or str(error)) from error
