"""Start what is waited for, as far as memory allows, and see that room is made. Pure."""

from dataclasses import replace

from lumbre.pool.policy.budget import free, missing, returned
from lumbre.pool.policy.events import Effect, Refuse, Start
from lumbre.pool.policy.evict import Worth, may_give_way, stopping, victims
from lumbre.pool.policy.state import Leaving, Loaded, State, Terms

PATIENCE_S = 5.0
"""A ticket that waits for room is refused when for so long there could not be enough."""


def place(state: State, worth: Worth, asked_now: str = "") -> tuple[State, tuple[Effect, ...]]:
    """Oldest first. The first that has to wait for memory is the `head`. `asked_now` is the model
    that somebody asks for this moment: with no hope for room, whoever is first is told at once.

    Nobody loads past the head but who takes nothing of what it waits for, and resident
    models: whoever asks for one may hold what the others wait for.
    """
    state = replace(state, head="")
    if not state.queue:
        return replace(state.stays("room"), hopeless={}), ()
    hopeless: dict[str, float] = {}
    effects: list[Effect] = []
    there = {worker.model for worker in state.workers.values()}
    spare: dict[str, int] = {}
    giving_way: dict[int, str] = {}
    at_once: dict[int, str] = {}
    waiting = {ticket.model for ticket in state.queue[:-1]}
    for model in dict.fromkeys(ticket.model for ticket in state.queue):
        if model in there:
            continue
        terms = state.terms[model]
        fits = not missing(state, terms.need)
        if fits and (
            not state.head
            or terms.is_resident
            or all(amount <= spare.get(what, amount) for what, amount in terms.need.items())
        ):
            worker = state.next_worker
            state = replace(state.put(Loaded(worker, model, terms)), next_worker=worker + 1)
            spare = {what: left - terms.need.get(what, 0) for what, left in spare.items()}
            effects.append(Start(worker, model))
            continue
        if fits or (state.head and not terms.is_resident):
            continue
        leaving = victims(state, terms.need, worth, asks_resident=terms.is_resident)
        if leaving is None:
            is_first = model == asked_now and model not in waiting
            since = state.hopeless.get(model, state.now)
            if is_first or state.now - since >= PATIENCE_S:
                state, told = refuse_all(state, _too_large(state, model, terms))
                effects += told
            else:
                hopeless[model] = since
            continue
        chosen = {loaded.worker: model for loaded in leaving}
        if terms.is_resident:
            at_once |= chosen
        else:
            giving_way |= chosen
            going = [*stopping(state), *leaving]
            state = replace(state, head=model)
            spare = {
                what: free(state, what) + returned(going, what) - amount
                for what, amount in terms.need.items()
            }
    state = replace(state, hopeless=hopeless)
    return _marked(state, giving_way, at_once), tuple(effects)


def refuse_all(state: State, refusal: Refuse) -> tuple[State, tuple[Refuse, ...]]:
    """The same answer to everyone who waits for a model."""
    told = [ticket for ticket in state.queue if ticket.model == refusal.model]
    queue = tuple(ticket for ticket in state.queue if ticket.model != refusal.model)
    answers = tuple(replace(refusal, ticket=ticket.id) for ticket in told)
    return replace(state, queue=queue), answers


def _marked(state: State, giving_way: dict[int, str], at_once: dict[int, str]) -> State:
    """Those that are to make room get no new leases; others no longer are to.

    One that is wanted by a ticket older than the head serves that first; one that is still
    starting, whoever wants it: it is nearly there.
    """
    asked_for = [ticket.model for ticket in state.queue]
    older = asked_for[: asked_for.index(state.head)] if state.head else []
    wanted, wanted_first = set(asked_for), set(older)
    for number, loaded in state.workers.items():
        if loaded.phase == "stopping" or loaded.leaving not in ("", "room"):
            continue
        serves = loaded.model in (wanted if loaded.phase == "starting" else wanted_first)
        room_for = at_once.get(number) or ("" if serves else giving_way.get(number, ""))
        if room_for != loaded.room_for:
            leaving: Leaving = "room" if room_for else ""
            state = state.put(replace(loaded, leaving=leaving, room_for=room_for))
    return state


def _too_large(state: State, model: str, terms: Terms) -> Refuse:
    """What there could be at most of the first thing there is too little of."""
    going = [*stopping(state), *may_give_way(state, terms.is_resident)]
    for what, amount in terms.need.items():
        most = free(state, what) + returned(going, what)
        if amount > most:
            return Refuse(0, model, "does_not_fit", short_of=what, free=max(0, most))
    raise AssertionError("what all could give is enough")
