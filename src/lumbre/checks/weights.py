"""The weights: which are here, whole, and compared with their checksums."""

from collections.abc import Iterator

from lumbre.checks import Finding, Scope, command, found, from_error
from lumbre.checks._models import manifests, weights_of
from lumbre.core.errors import LumbreError, WrongChecksum
from lumbre.core.model import Manifest
from lumbre.registry.weights import Weights

PLACE = 120


def check(scope: Scope) -> Iterator[Finding]:
    with weights_of(scope) as weights:
        for manifest in manifests(scope):
            if not manifest.weights:
                continue
            try:
                yield _look(manifest, weights)
            except LumbreError as error:
                yield from_error(error)


def _look(manifest: Manifest, weights: Weights) -> Finding:
    model, state = manifest.id, weights.state(manifest)
    if state == "present":
        size_bytes = weights.bytes_on_disk(manifest)
        key = "weights.checked" if _is_checked(manifest, weights) else "weights.here"
        return found("ok", key, model=model, size_bytes=size_bytes)
    if state == "corrupt":
        mend = command(f"lumbre models remove {model} && lumbre models pull {model}")
        return found("fail", "weights.corrupt", mend, model=model)
    mend = command(f"lumbre models pull {model}")
    missing_bytes = weights.missing_bytes(manifest)
    if missing_bytes is None:
        return found("warn", "weights.not_here", mend, model=model)
    return found("warn", f"weights.{state}", mend, model=model, missing_bytes=missing_bytes)


class _NotYetError(Exception):
    """Comparing would mean to read the file."""


def _is_checked(manifest: Manifest, weights: Weights) -> bool:
    """Whether every checksum is remembered, and right."""

    def stop(_: object) -> None:
        raise _NotYetError

    try:
        weights.verify(manifest, stop)
    except (_NotYetError, WrongChecksum):
        return False
    return True
