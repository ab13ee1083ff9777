"""Every state of some small worlds is visited: in each, what must hold holds, nobody is stuck."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from lumbre.pool.policy.events import Dismissed, Pressed
from lumbre.pool.policy.state import LLMS, THREADS, Terms
from tests.pool.world import World

SETTLED = 12
"""Rounds in which everybody finishes and every process does as told."""

PRIMARY = Terms(need={"cpu": 2, LLMS: 1}, standing="primary", work={THREADS: 1})
CHAT = Terms(need={"cpu": 2, LLMS: 1}, idle_s=5.0, slots=2, work={THREADS: 1})
SMALL = Terms(need={"cpu": 1, LLMS: 1}, idle_s=5.0, reload_s=4.0, work={THREADS: 1})
EMBEDDER = Terms(need={"cpu": 1}, standing="resident", slots=4)
HUGE = Terms(need={"cpu": 9}, idle_s=5.0)


@dataclass(frozen=True)
class Small:
    """A world, and what may happen there beside asking, starting, using and giving up."""

    models: dict[str, Terms]
    memory: dict[str, int]
    caps: dict[str, int] = field(default_factory=dict)
    work_caps: dict[str, int] = field(default_factory=dict)
    also: tuple[str, ...] = ()
    tickets: int = 4

    def world(self) -> World:
        return World(self.models, self.memory, self.caps, self.work_caps)


PAIR = {"a": CHAT, "b": CHAT}
THREE = {"p": PRIMARY, "c": CHAT, "s": SMALL}
WORLDS = {
    "two that exclude each other": Small(PAIR, {"cpu": 3}),
    "processes die": Small(PAIR, {"cpu": 3}, also=("die",)),
    "time passes": Small(PAIR, {"cpu": 4}, also=("wait",)),
    "another program takes memory": Small(PAIR, {"cpu": 4}, also=("take",)),
    "a person unloads": Small(PAIR, {"cpu": 3}, also=("unload",)),
    "everything at once": Small(
        PAIR, {"cpu": 3}, also=("die", "take", "unload", "wait"), tickets=2
    ),
    "room for two of three": Small(THREE, {"cpu": 3}),
    "a resident one beside two": Small({"p": PRIMARY, "c": CHAT, "e": EMBEDDER}, {"cpu": 3}),
    "one chat model at a time": Small(
        {"p": PRIMARY, "s": SMALL, "e": EMBEDDER}, {"cpu": 9}, caps={LLMS: 1}
    ),
    "one at work at a time": Small(PAIR, {"cpu": 9}, work_caps={THREADS: 1}),
    "one that never fits": Small({"c": CHAT, "h": HUGE}, {"cpu": 3}, also=("die",)),
    "a card and main memory": Small(
        {
            "split": Terms(need={"cpu": 1, "gpu0": 2}, idle_s=5.0),
            "card": Terms(need={"cpu": 1, "gpu0": 2}, standing="primary"),
            "plain": SMALL,
        },
        {"cpu": 2, "gpu0": 3},
    ),
}


def key(world: World) -> object:
    """What of a world decides its future, numbers of workers and tickets left out."""
    order = {ticket.id: place for place, ticket in enumerate(world.state.queue)}
    workers = sorted(
        (w.model, w.phase, len(w.leases), w.leaving, tuple(sorted(w.held.items())), w.idle_since)
        for w in world.state.workers.values()
    )
    held = sorted(
        (world.alive[n], tuple(sorted(held.items())), n in world.stopping)
        for n, held in world.held.items()
    )
    return (
        tuple(workers),
        tuple(held),
        tuple(t.model for t in sorted(world.state.queue, key=lambda t: order[t.id])),
        world.state.head,
        tuple(sorted((m, world.now - at) for m, at in world.state.hopeless.items())),
        len(world.broken),
        world.now,
        tuple(sorted(world.taken.items())),
        tuple(sorted((m, c.failures) for m, c in world.state.cooling.items())),
    )


def steps(world: World, small: Small) -> Iterator[tuple[str, Callable[[World], object]]]:
    """Everything that can happen next."""
    if len(world.waiting) + len(world.leases) + len(world.broken) < small.tickets:
        for model in sorted(world.models):
            yield f"ask {model}", lambda w, m=model: w.ask(m)  # type: ignore[misc]
    for worker in world.starting():
        yield f"start {worker}", lambda w, n=worker: w.start(n)  # type: ignore[misc]
    for worker in sorted(world.alive):
        cooled = world.state.cooling.get(world.alive[worker])
        may_die = "die" in small.also and (cooled is None or cooled.failures < 2)
        if worker in world.stopping or may_die:
            yield f"end {worker}", lambda w, n=worker: w.end(n)  # type: ignore[misc]
    for ticket in sorted({*world.leases, *world.broken}):
        yield f"release {ticket}", lambda w, t=ticket: w.release(t)  # type: ignore[misc]
    for ticket in sorted(world.waiting):
        yield f"cancel {ticket}", lambda w, t=ticket: w.cancel(t)  # type: ignore[misc]
    if "unload" in small.also:
        for model in sorted(set(world.alive.values())):
            yield f"unload {model}", lambda w, m=model: w.happened(Dismissed(m))  # type: ignore[misc]
    if "wait" in small.also:
        yield "wait", lambda w: w.see(max(0.0, 6.0 - w.now))
    if "take" in small.also:
        yield "take", lambda w: _other_program(w, 0 if w.taken.get("cpu") else 3)


def _other_program(world: World, amount: int) -> None:
    world.taken["cpu"] = amount
    world.see()
    world.happened(Pressed())


def after(world: World, step: Callable[[World], object]) -> World:
    then = copy.copy(world)
    for name in ("memory", "taken", "alive", "held", "leases", "waiting"):
        setattr(then, name, dict(getattr(world, name)))
    then.stopping, then.broken = set(world.stopping), set(world.broken)
    then.stops, then.refused, then.answers = [], [], {}
    step(then)
    return then


@pytest.mark.parametrize("name", WORLDS)
def test_every_state_that_can_be_reached_is_a_good_one(name: str) -> None:
    small = WORLDS[name]
    first = small.world()
    seen = {key(first)}
    paths: list[tuple[World, tuple[str, ...]]] = [(first, ())]
    for world, path in paths:  # grows as it goes
        for what, step in steps(world, small):
            try:
                then = after(world, step)
            except AssertionError as error:
                raise AssertionError(f"{error}: {' / '.join((*path, what))}") from error
            if (found := key(then)) not in seen:
                seen.add(found)
                paths.append((then, (*path, what)))
    for world, path in paths:
        left = after(world, lambda w: w.taken.clear())
        for _ in range(SETTLED):
            if not left.waiting:
                break
            left.settle()
        assert not left.waiting, f"{left.waiting} wait for ever: {' / '.join(path)}"
    assert len(seen) > 50, "the world is too small to show anything"
