"""The disk: room for what is still to be fetched, and for the household's own files."""

import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from lumbre.checks import Finding, Scope, command, found
from lumbre.checks._models import manifests, weights_of
from lumbre.checks.home import nearest_folder
from lumbre.core.errors import LumbreError
from lumbre.words import Sentence

PLACE = 90
_LEAST_BYTES = 200 * 2**20
"""For the database, its log and what a command writes."""


def check(scope: Scope) -> Iterator[Finding]:
    folders = scope.config.folders
    missing_bytes = _missing_bytes(scope)
    if _device(folders.home) == _device(folders.weights):
        yield _room(folders.home, _LEAST_BYTES, missing_bytes)
    else:
        yield _room(folders.home, _LEAST_BYTES, 0)
        yield _room(folders.weights, 0, missing_bytes)


def _room(folder: Path, own_bytes: int, missing_bytes: int) -> Finding:
    need_bytes = own_bytes + missing_bytes
    free_bytes = shutil.disk_usage(nearest_folder(folder)).free
    facts: dict[str, object] = {"path": folder, "free_bytes": free_bytes, "need_bytes": need_bytes}
    if free_bytes >= need_bytes:
        return found("ok", "disk.ok", **facts)
    if missing_bytes:
        return found("fail", "disk.full", Sentence("doctor.disk.elsewhere"), **facts)
    mend = command(f"du -sh {shlex.quote(str(folder))}")
    return found("fail" if not free_bytes else "warn", "disk.little", mend, **facts)


def _missing_bytes(scope: Scope) -> int:
    missing_bytes = 0
    with weights_of(scope) as weights:
        for manifest in manifests(scope):
            try:
                missing_bytes += weights.missing_bytes(manifest) or 0
            except LumbreError:  # the check of the weights tells
                continue
    return missing_bytes


def _device(folder: Path) -> int:
    return os.stat(nearest_folder(folder)).st_dev  # noqa: PTH116
