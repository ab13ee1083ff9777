"""Manifests as files: read, held to the rules, and written."""

import difflib
import errno
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lumbre.core.errors import (
    BadManifest,
    DiskFull,
    HomeNotUsable,
    ManifestMissingField,
    ManifestUnknownField,
    ManifestUnreadable,
    ManifestWrongType,
)
from lumbre.core.model import (
    BackendChoice,
    Manifest,
    Price,
    Prompts,
    Sampling,
    Source,
    WeightsFile,
)
from lumbre.registry.plain_yaml import NotPlain, read_yaml, write_yaml
from lumbre.registry.rules import check
from lumbre.words import Sentence

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from pydantic_core import ErrorDetails

_MOST_BYTES = 1 << 20
_SHOWN = 80
_INSIDE: Mapping[str, type] = {
    "files": WeightsFile,
    "sources": Source,
    "backends": BackendChoice,
    "sampling": Sampling,
    "prompts": Prompts,
    "price": Price,
}
_EXPECTED = {
    "string_type": "text",
    "int_type": "whole",
    "int_from_float": "whole",
    "float_type": "number",
    "bool_type": "yes_or_no",
    "tuple_type": "list",
    "dataclass_type": "table",
    "dict_type": "table",
}


def load_manifest(path: Path) -> Manifest:
    """Read a manifest's file.

    Raises:
        BadManifest: the leaf that says what is wrong with it.
    """
    try:
        # A pipe would keep us waiting for a writer: the kind of file is asked first.
        if not stat.S_ISREG(path.stat().st_mode):
            raise ManifestUnreadable(path=path, reason=Sentence("manifest.not_a_file"))
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise ManifestUnreadable(path=path, reason=Sentence("manifest.too_long"))
        content = read_yaml(data.decode("utf-8-sig"))
    except OSError as error:
        reason = Sentence("manifest.unreadable", why=error.strerror or str(error))
        raise ManifestUnreadable(path=path, reason=reason) from error
    except UnicodeDecodeError as error:
        reason = Sentence("manifest.not_yaml", why=error.reason)
        raise ManifestUnreadable(path=path, reason=reason) from error
    except NotPlain as error:
        raise ManifestUnreadable(path=path, reason=error.reason) from error
    if not isinstance(content, dict):
        raise ManifestUnreadable(path=path, reason=Sentence("manifest.not_fields"))
    return parse_manifest(content, path)


def parse_manifest(data: Mapping[str, Any], path: Path) -> Manifest:
    """A manifest from its fields; `path` is the file to name in errors.

    Raises:
        BadManifest: the leaf that says what is wrong with it.
    """
    from pydantic import ValidationError

    try:
        manifest = _adapter().validate_json(_as_json(data, path), strict=True)
    except ValidationError as error:
        raise _translated(error.errors(include_url=False), path) from error
    check(manifest, path)
    return _with_lower_case_sums(manifest)


def dump_manifest(manifest: Manifest) -> str:
    """The YAML that `load_manifest` reads back: every field that differs from its default."""
    return write_yaml(_said(manifest))


def save_manifest(manifest: Manifest, path: Path) -> None:
    """Write a manifest's file, whole or not at all, over any that is there.

    Raises:
        DiskFull: there is no room for it.
        HomeNotUsable: the folder cannot be written.
    """
    text = dump_manifest(manifest).encode()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Hidden, so that nobody who reads the folder takes it for a manifest.
        handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
        part = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            free_bytes = shutil.disk_usage(path.parent).free
            raise DiskFull(path=path, need_bytes=len(text), free_bytes=free_bytes) from error
        reason = error.strerror or str(error)
        raise HomeNotUsable(path=path.parent, reason=reason) from error


@cache
def _adapter() -> "TypeAdapter[Manifest]":
    from pydantic import TypeAdapter

    return TypeAdapter(Manifest)


def _as_json(data: Mapping[str, Any], path: Path) -> str:
    """Through JSON, because a list may only become a tuple on that way when types are strict."""
    try:
        return json.dumps(data, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        for field, value in data.items():
            try:
                json.dumps(value, allow_nan=False)
            except (TypeError, ValueError, RecursionError) as error:
                reason = Sentence("manifest.not_plain")
                raise ManifestWrongType(
                    path=path, field=field, value=_shown(value), reason=reason
                ) from error
        raise


def _translated(errors: Sequence["ErrorDetails"], path: Path) -> BadManifest:
    """The most telling of the errors: a misspelt name is also why another one is missing."""
    order = ("unexpected_keyword_argument", "", "missing")
    error = min(
        errors, key=lambda error: order.index(error["type"] if error["type"] in order else "")
    )
    if not error["loc"]:
        why = Sentence("manifest.other", why=error["msg"])
        return ManifestUnreadable(path=path, reason=why)
    field = _field(error["loc"])
    if error["type"] == "unexpected_keyword_argument":
        return ManifestUnknownField(path=path, field=field, nearest=_nearest(error["loc"]))
    if error["type"] == "missing":
        return ManifestMissingField(path=path, field=field)
    return ManifestWrongType(
        path=path, field=field, value=_shown(error["input"]), reason=_reason(error)
    )


def _reason(error: "ErrorDetails") -> Sentence:
    if error["type"] == "literal_error":
        expected = str(error.get("ctx", {}).get("expected", ""))
        choices = expected.replace(" or ", ", ").replace("'", "")
        return Sentence("manifest.choice", choices=choices)
    if name := _EXPECTED.get(error["type"]):
        return Sentence(f"manifest.{name}")
    return Sentence("manifest.other", why=error["msg"])


def _field(place: Sequence[int | str]) -> str:
    """As a person would write it: files[0].sha256."""
    written = ""
    for step in place:
        written += f"[{step}]" if isinstance(step, int) else f".{step}"
    return written.removeprefix(".")


def _nearest(place: Sequence[int | str]) -> str:
    owner = _INSIDE.get(str(place[0]), Manifest) if len(place) > 1 else Manifest
    names = [field.name for field in fields(owner)]
    return next(iter(difflib.get_close_matches(str(place[-1]), names, 1, 0.5)), "metadata")


def _shown(value: object) -> object:
    text = repr(value)
    return value if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _with_lower_case_sums(manifest: Manifest) -> Manifest:
    """Sums are compared with what hashlib writes, which is lower case."""
    return replace(
        manifest,
        checksum_sha256=manifest.checksum_sha256 and manifest.checksum_sha256.lower(),
        files=tuple(replace(file, sha256=file.sha256.lower()) for file in manifest.files),
    )


def _said(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        said = {}
        for field in fields(value):
            held = getattr(value, field.name)
            default = (
                field.default_factory() if field.default_factory is not MISSING else field.default
            )
            if held != default:
                said[field.name] = _said(held)
        return said
    if isinstance(value, tuple | list):
        return [_said(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _said(item) for key, item in value.items()}
    return value
