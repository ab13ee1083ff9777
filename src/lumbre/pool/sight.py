"""See what memory there is, and what each worker holds of it, device by device."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from lumbre.core.machine import CPU, Memory
from lumbre.hardware.nvidia import Card, held_on
from lumbre.hardware.usage import family, private_bytes, pss_bytes
from lumbre.pool.own_thread import OwnThread
from lumbre.pool.policy.state import Resources

Held = dict[int, dict[str, int]]
_CARDS_S = 10.0
"""Between two looks at cards when nothing happens: asking a driver starts a process."""


@dataclass(slots=True)
class Sight:
    """A machine as it is at the moment of looking."""

    memory: Callable[[], Memory]
    cards: Callable[[], Sequence[Card]] | None = None
    """None where none is used: drivers are slow to ask."""
    reserve: Resources = field(default_factory=dict)
    thread: OwnThread = field(default_factory=lambda: OwnThread("memory"))
    """To look in, since a driver may take its time."""

    _cards: Sequence[Card] = ()
    _cards_at: float = -math.inf

    @property
    def devices(self) -> list[str]:
        return [CPU, *(card.device.id for card in self._cards_now())]

    def glance(self) -> dict[str, int]:
        """What can be had now, cards as they were some seconds ago."""
        is_old = time.monotonic() - self._cards_at > _CARDS_S
        return self._available(self._cards_now() if is_old else self._cards)

    def _available(self, cards: Sequence[Card]) -> dict[str, int]:
        """Bytes by device, after the reserve."""
        seen = {CPU: self.memory().available_bytes}
        seen |= {card.device.id: card.device.free_bytes for card in cards}
        return {device: amount - self.reserve.get(device, 0) for device, amount in seen.items()}

    def _cards_now(self) -> Sequence[Card]:
        if self.cards is not None:
            self._cards, self._cards_at = self.cards(), time.monotonic()
        return self._cards

    def private(self, pids: Mapping[int, int]) -> tuple[dict[str, int], Held]:
        """What there is, and what nobody else can have: mapped files left out. By worker, of each
        whose process is there, be it still loading: what that has taken is not to come any more.
        """
        families = {number: family(pid) for number, pid in pids.items()}
        held = {n: {CPU: sum(map(private_bytes, members))} for n, members in families.items()}
        cards = self._cards_now()
        for number, members in families.items():
            held[number] |= held_on(cards, members)
        return self._available(cards), held

    def whole(self, pids: Mapping[int, int]) -> Held:
        """By worker what its processes hold, their proportional share of what they share."""
        cards = self._cards_now()
        families = {number: family(pid) for number, pid in pids.items()}
        return {
            number: {CPU: sum(map(pss_bytes, members)), **held_on(cards, members)}
            for number, members in families.items()
        }
