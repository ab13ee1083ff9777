"""Whether a model could be loaded with all that stays loaded beside it. Pure."""

from collections.abc import Mapping

from lumbre.pool.policy.budget import free, returned
from lumbre.pool.policy.state import Resources, State, Terms


def fits_beside(
    state: State, model: str, need: Resources, staying: Mapping[str, Terms] | None = None
) -> bool:
    """Memory as last seen; what is on_demand and neither pinned nor earned makes room, whatever it
    does now. Models that stay and are not loaded yet keep their place: those of `staying`, and
    those that were asked for.
    """
    staying = staying or {}
    workers = state.workers.values()
    going = [w for w in workers if w.model == model or not _stays(state, w.model, w.terms)]
    there = {worker.model for worker in workers} | {model}
    known = {**state.terms, **staying}
    coming = [
        terms
        for name, terms in known.items()
        if name not in there and (name in staying or _stays(state, name, terms))
    ]
    return all(
        amount + sum(terms.need.get(what, 0) for terms in coming)
        <= free(state, what) + returned(going, what)
        for what, amount in need.items()
    )


def _stays(state: State, model: str, terms: Terms) -> bool:
    return terms.standing != "on_demand" or state.stays_loaded(model)
