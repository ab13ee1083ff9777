"""The weights: which are here, whole, and compared with their checksums."""

from collections.abc import Iterator

from lumbre.checks import Finding, Scope, Status, command, found, from_error
from lumbre.checks._models import answering, manifests, weights_of
from lumbre.core.errors import LumbreError, WrongChecksum
from lumbre.core.model import Manifest
from lumbre.registry.weights import Weights

PLACE = 120


def check(scope: Scope) -> Iterator[Finding]:
    needed = {manifest.id for manifest in answering(scope)}
    with weights_of(scope) as weights:
        for manifest in manifests(scope):
            if not manifest.weights:
                continue
            try:
                yield _look(scope, manifest, weights, is_needed=manifest.id in needed)
            except LumbreError as error:
                yield from_error(error)


def _look(scope: Scope, manifest: Manifest, weights: Weights, *, is_needed: bool) -> Finding:
    weights.refuse_gone(manifest)
    model, state = manifest.id, weights.state(manifest)
    if state == "present":
        size_bytes = weights.bytes_on_disk(manifest)
        key = "weights.checked" if _is_checked(manifest, weights) else "weights.here"
        return found("ok", key, model=model, size_bytes=size_bytes)
    if state == "corrupt":
        mend = command(f"lumbre models remove {model} && lumbre models pull {model}")
        return found("fail", "weights.corrupt", mend, model=model)
    is_first = manifest.role == "primary" and not scope.config.folders.registry.exists()
    mend = command(f"lumbre models pull {'primary' if is_first else model}")
    status: Status = "fail" if is_needed else "warn"
    missing_bytes = weights.missing_bytes(manifest)
    if missing_bytes is None:
        return found(status, "weights.not_here", mend, model=model)
    return found(status, f"weights.{state}", mend, model=model, missing_bytes=missing_bytes)


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
