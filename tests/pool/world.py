"""A small world for the pool's decisions: memory that fills as workers load, processes that end."""

from collections.abc import Mapping
from dataclasses import replace

from lumbre.pool.policy.decide import decide
from lumbre.pool.policy.events import (
    Asked,
    Cancelled,
    Effect,
    Event,
    Gone,
    Grant,
    Kill,
    Refuse,
    Released,
    Saw,
    Stalled,
    Start,
    Started,
    Stop,
)
from lumbre.pool.policy.state import Loaded, Resources, State, Terms, Ticket


class World:
    """Does what is decided, and holds at every step what must always hold."""

    def __init__(
        self,
        models: Mapping[str, Terms],
        memory: Resources,
        caps: Resources | None = None,
        work_caps: Resources | None = None,
        *,
        keep_while_fits: bool = False,
    ) -> None:
        self.models = models
        self.memory = dict(memory)
        self.state = State(
            available=memory,
            caps=caps or {},
            work_caps=work_caps or {},
            keep_while_fits=keep_while_fits,
        )
        self.now = 0.0
        self.taken: dict[str, int] = {}
        """By other programs."""
        self.alive: dict[int, str] = {}
        self.held: dict[int, dict[str, int]] = {}
        self.stopping: set[int] = set()
        self.stops: list[Stop] = []
        self.leases: dict[int, int] = {}
        self.broken: set[int] = set()
        """Tickets whose worker ended under them."""
        self.waiting: dict[int, str] = {}
        self.answers: dict[int, int] = {}
        self.refused: list[Refuse] = []
        self.next_ticket = 1

    @property
    def available(self) -> dict[str, int]:
        return {
            device: total
            - self.taken.get(device, 0)
            - sum(held.get(device, 0) for held in self.held.values())
            for device, total in self.memory.items()
        }

    def happened(self, event: Event) -> tuple[Effect, ...]:
        self.state, effects = decide(replace(self.state, now=self.now), event)
        for effect in effects:
            self.act(effect)
        self.check()
        return effects

    def act(self, effect: Effect) -> None:
        match effect:
            case Start(worker, model):
                assert model not in self.alive.values(), "one load per model"
                self.alive[worker] = model
                self.held[worker] = {}
            case Stop(worker):
                assert worker in self.alive
                assert worker not in self.stopping, "stopped twice"
                assert worker not in self.leases.values(), "stopped a worker in use"
                self.stopping.add(worker)
                self.stops.append(effect)
            case Kill(worker):
                assert worker in self.alive
                self.stopping.add(worker)
            case Grant(ticket, worker):
                assert self.alive[worker] == self.waiting.pop(ticket)
                assert worker not in self.stopping
                self.answers[ticket] = self.answers.get(ticket, 0) + 1
                self.leases[ticket] = worker
            case Refuse(ticket):
                del self.waiting[ticket]
                self.answers[ticket] = self.answers.get(ticket, 0) + 1
                self.refused.append(effect)

    def check(self) -> None:
        """Never over budget, one answer each, slots and work within their limits."""
        state = self.state
        assert {w.model for w in state.workers.values()} == set(self.alive.values())
        assert len(state.workers) == len(self.alive), "one worker per model"
        for device, total in self.memory.items():
            assert self.promised(device) <= total, "more promised than there is"
        for resource, cap in state.caps.items():
            assert self.promised(resource) <= cap, "more promised than is allowed"
        assert all(count == 1 for count in self.answers.values())
        assert {ticket.id for ticket in state.queue} == set(self.waiting)
        for worker in state.workers.values():
            assert len(worker.leases) <= worker.terms.slots
        for what, cap in state.work_caps.items():
            busy = [w for w in state.workers.values() if w.leases and not w.terms.is_resident]
            work = sum(w.terms.work.get(what, 0) for w in busy)
            assert work <= cap or len(busy) == 1, "more at work than there is room for"

    def promised(self, resource: str) -> int:
        return sum(w.terms.need.get(resource, 0) for w in self.state.workers.values())

    def ask(self, model: str, terms: Terms | None = None, *, insists: bool = False) -> int:
        ticket = self.next_ticket
        self.next_ticket += 1
        self.waiting[ticket] = model
        self.happened(Asked(Ticket(ticket, model, insists), terms or self.models[model]))
        return ticket

    def saw(self) -> Saw:
        held = {number: dict(held) for number, held in self.held.items()}
        return Saw(self.now, self.available, held)

    def see(self, seconds: float = 0.0) -> None:
        self.now += seconds
        self.happened(self.saw())

    def fill(self, worker: int, share: float = 1.0) -> None:
        need = self.models[self.alive[worker]].need
        self.held[worker] = {device: round(need.get(device, 0) * share) for device in self.memory}

    def start(self, worker: int, load_s: float = 0.0) -> None:
        self.fill(worker)
        self.happened(Started(worker, load_s))

    def end(self, worker: int) -> None:
        """The process is gone; whoever held a lease on it still gives that back."""
        self.stopping.discard(worker)
        del self.alive[worker], self.held[worker]
        for ticket in [t for t, number in self.leases.items() if number == worker]:
            del self.leases[ticket]
            self.broken.add(ticket)
        self.happened(Gone(worker, self.saw()))

    def stall(self, worker: int) -> None:
        self.happened(Stalled(worker))

    def release(self, ticket: int) -> None:
        is_well = ticket not in self.broken
        self.broken.discard(ticket)
        self.leases.pop(ticket, None)
        self.happened(Released(ticket, is_well))

    def cancel(self, ticket: int) -> None:
        self.waiting.pop(ticket, None)
        self.leases.pop(ticket, None)
        self.broken.discard(ticket)
        self.happened(Cancelled(ticket))

    def worker(self, model: str) -> int:
        return next(number for number, name in self.alive.items() if name == model)

    def loaded(self, model: str) -> Loaded:
        return self.state.workers[self.worker(model)]

    def use_once(self, model: str) -> None:
        """Load it, use it, give it back."""
        ticket = self.ask(model)
        if ticket in self.waiting:
            self.start(self.worker(model))
        self.release(ticket)
        self.see()

    def starting(self) -> list[int]:
        return [w.worker for w in self.state.workers.values() if w.phase == "starting"]

    def ready(self) -> list[int]:
        return [w.worker for w in self.state.workers.values() if w.phase == "ready"]

    def models_of(self, workers: set[int]) -> list[str]:
        return sorted(self.alive[worker] for worker in workers)

    def settle(self) -> None:
        """Everybody finishes, every process does as told, again and again."""
        for ticket in [*self.leases, *self.broken]:
            self.release(ticket)
        for worker in self.starting():
            self.start(worker)
        for worker in list(self.stopping):
            self.end(worker)
        self.see(1.0)
