"""See what memory there is, and what each worker holds of it, device by device."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lumbre.core.machine import CPU, Memory
from lumbre.hardware.nvidia import Card
from lumbre.hardware.usage import family
from lumbre.pool.own_thread import OwnThread
from lumbre.pool.policy.state import Resources
from lumbre.pool.worker import Worker

Held = dict[int, dict[str, int]]


@dataclass(frozen=True, slots=True)
class Sight:
    """A machine as it is at the moment of looking."""

    memory: Callable[[], Memory]
    cards: Callable[[], Sequence[Card]] | None = None
    """None where none is used: drivers are slow to ask."""
    reserve: Resources = field(default_factory=dict)
    thread: OwnThread = field(default_factory=lambda: OwnThread("memory"))
    """To look in, since a driver may take its time."""

    @property
    def devices(self) -> list[str]:
        return [CPU, *(card.device.id for card in self.cards())] if self.cards else [CPU]

    def available(self, cards: Sequence[Card] | None = None) -> dict[str, int]:
        """Bytes by device that can be had now, after the reserve."""
        seen = {CPU: self.memory().available_bytes}
        if cards is None:
            cards = self.cards() if self.cards else ()
        seen |= {card.device.id: card.device.free_bytes for card in cards}
        return {device: amount - self.reserve.get(device, 0) for device, amount in seen.items()}

    def private(self, workers: Mapping[int, Worker]) -> tuple[dict[str, int], Held]:
        """What there is, and by worker what nobody else can have: mapped files left out."""
        held = {number: {CPU: worker.private_bytes()} for number, worker in workers.items()}
        cards = self.cards() if self.cards else ()
        for number, worker in workers.items():
            held[number] |= on_cards(cards, worker)
        return self.available(cards), held

    def whole(self, workers: Mapping[int, Worker]) -> Held:
        """By worker what it holds, its proportional share of what it shares."""
        cards = self.cards() if self.cards else ()
        return {
            number: {CPU: worker.pss_bytes(), **on_cards(cards, worker)}
            for number, worker in workers.items()
        }


def on_cards(cards: Iterable[Card], worker: Worker) -> dict[str, int]:
    """What a worker's processes hold of each card, where the driver tells."""
    pids = family(worker.pid)
    seen = {card.device.id: card.used_bytes_by_pid for card in cards}
    return {
        device: sum(used.get(pid, 0) for pid in pids)
        for device, used in seen.items()
        if any(pid in used for pid in pids)
    }
