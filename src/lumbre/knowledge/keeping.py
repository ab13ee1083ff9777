"""Store documents in groups, so that many small ones do not each wait for the disk."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from lumbre.core.document import Document
from lumbre.core.errors import StoreFull
from lumbre.knowledge.index import Index, Prepared
from lumbre.knowledge.places import Places

_MOST_FILES = 64
_MOST_CHARACTERS = 1 << 20
_LONGEST_S = 1.0
"""When a group is stored: what is done is safe after a second at the latest."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that gave no text, to be listed with its reason."""

    path: str
    sha256: str
    """Empty where its bytes were not read."""
    cut: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Waiting:
    put: Prepared | Refused | None
    """None: there is nothing to store."""
    told: Document
    changed: bool


class Keeping:
    """What is done and not yet stored. Documents are told of in the order they came."""

    def __init__(self, index: Index, places: Places, clock: Callable[[], float]) -> None:
        self._index = index
        self._places = places
        self._clock = clock
        self._waiting: list[_Waiting] = []
        self._characters = 0
        self._since_s = 0.0
        self._storing: asyncio.Task[None] | None = None
        self._stored: list[_Waiting] = []
        self._kept: list[tuple[Document, bool]] = []

    def put(self, put: Prepared | Refused, told: Document) -> None:
        """A document to store."""
        self._add(_Waiting(put, told, changed=True))

    def tell(self, told: Document, *, changed: bool) -> None:
        """A document that needs no storing, told of in its turn."""
        self._add(_Waiting(None, told, changed))

    def kept(self) -> list[tuple[Document, bool]]:
        """What has been stored since the last call, and whether it was changed."""
        kept, self._kept = self._kept, []
        return kept

    async def pace(self) -> None:
        """Begin to store what waits, when there is enough of it or it waits long.

        Raises:
            StoreFull, StoreBusy, StoreDamaged, HomeNotUsable: what stopped the group before.
        """
        if self._storing is not None and self._storing.done():
            await self._land()
        if self._is_due():
            await self._land()
            self._begin()

    async def finish(self) -> None:
        """Store all that waits.

        Raises:
            StoreFull, StoreBusy, StoreDamaged, HomeNotUsable: as `pace`.
        """
        await self._land()
        if self._waiting:
            self._begin()
            await self._land()

    def _add(self, waiting: _Waiting) -> None:
        if not self._waiting:
            self._since_s = self._clock()
            self._characters = 0
        self._waiting.append(waiting)
        if isinstance(waiting.put, Prepared):
            self._characters += len(waiting.put.parsed.text)

    def _is_due(self) -> bool:
        if not self._waiting:
            return False
        return (
            len(self._waiting) >= _MOST_FILES
            or self._characters >= _MOST_CHARACTERS
            or self._clock() - self._since_s >= _LONGEST_S
        )

    def _begin(self) -> None:
        group, self._waiting = self._waiting, []
        self._storing = asyncio.create_task(asyncio.to_thread(self._store, group))
        self._stored = group

    async def _land(self) -> None:
        """Wait until the group that is being stored is; also when cancelled: a thread goes on."""
        storing, self._storing = self._storing, None
        if storing is None:
            return
        try:
            await asyncio.shield(storing)
        except asyncio.CancelledError:
            await asyncio.wait([storing])
            raise
        self._kept += [(one.told, one.changed) for one in self._stored]

    def _store(self, group: list[_Waiting]) -> None:
        try:
            self._put(group)
        except StoreFull:
            if len(group) == 1:
                raise
            for one in group:  # those before the one that has no room
                self._put([one])

    def _put(self, group: list[_Waiting]) -> None:
        with self._index.together():
            for one in group:
                match one.put:
                    case Prepared():
                        self._index.put(one.put)
                    case Refused(path, sha256, cut, reason):
                        self._index.put_unreadable(path, sha256, cut, reason)
            self._places.remember([one.told.path for one in group])
