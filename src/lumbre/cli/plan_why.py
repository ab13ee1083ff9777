"""Every byte of one model of a plan: what it is for, what it stands on, what was given up."""

from collections.abc import Iterator
from itertools import groupby

from lumbre.cli.plan_view import basis_of, context_of, has_layers, is_too_large, plain
from lumbre.cli.render import folded
from lumbre.core.backend import KvType
from lumbre.core.machine import CPU
from lumbre.core.model import LayerCache
from lumbre.core.plan import Placement, Plan, Planned, Refused
from lumbre.planner.anatomy import anatomy_of
from lumbre.planner.caches import layer_cache_bytes
from lumbre.planner.footprint import batch_tokens
from lumbre.planner.wish import Wish
from lumbre.words import Language, say

_ELEMENT: dict[KvType, tuple[str, float]] = {"f16": ("2", 2.0), "q8_0": ("34/32", 34 / 32)}


def why_lines(plan: Plan, wish: Wish, language: Language, *, width: int) -> Iterator[str]:
    """Lines on a model that is planned or has no place."""
    planned = plan.planned(wish.id)
    if planned is not None:
        yield from _planned(plan, planned, wish, language, width)
    for refused in plan.refused:
        if refused.id == wish.id:
            yield from _refused(refused, language, width)


def elsewhere(model: str, language: Language, *, width: int) -> list[str]:
    """Of a model that runs on another machine there is little to tell."""
    return folded(say("plan_view.why.elsewhere", language, model=model), width, 0)


def cache_formula(wish: Wish, planned: Planned, language: Language) -> str:
    """Layers x numbers x tokens x bytes, for each kind of layer the model has."""
    choice = planned.choice
    if wish.facts is None or not choice.context_tokens:
        return say("plan_view.why.nothing_kept", language)
    caches = anatomy_of(wish.facts).caches
    sizes = layer_cache_bytes(
        caches,
        context_tokens=choice.context_tokens,
        slots=choice.slots,
        batch_tokens=batch_tokens(wish, choice),
        kv_type=choice.kv_type,
    )
    layers = sorted(zip(caches, sizes, strict=True), key=_kind)
    told: list[str] = []
    for _, group in groupby(layers, key=_kind):
        same = list(group)
        told += _of_kind(same[0][0], same[0][1], len(same), choice.kv_type, language)
    return " + ".join(told) or say("plan_view.why.nothing_kept", language)


def _kind(layer: tuple[LayerCache, int]) -> tuple[int, int, int]:
    cache, _ = layer
    return (cache.window_tokens, cache.key_width + cache.value_width, cache.state_bytes)


def _of_kind(
    cache: LayerCache, bytes_of_one: int, count: int, kv_type: KvType, language: Language
) -> Iterator[str]:
    element, element_bytes = _ELEMENT[kv_type]
    width = cache.key_width + cache.value_width
    if width:
        key = "layers_near" if cache.window_tokens else "layers_whole"
        yield say(
            f"plan_view.why.{key}",
            language,
            count=count,
            width=width,
            tokens=round(bytes_of_one / (width * element_bytes)),
            window=cache.window_tokens,
            element=element,
            kv_type=kv_type,
        )
    elif cache.state_bytes:
        yield say(
            "plan_view.why.layers_state", language, count=count, state_bytes=cache.state_bytes
        )


def _planned(
    plan: Plan, planned: Planned, wish: Wish, language: Language, width: int
) -> Iterator[str]:
    title = say("plan_view.why.title", language, model=planned.id, total_bytes=planned.total_bytes)
    yield from folded(title, width, 0)
    yield from folded(_runs(planned, language), width, 2)
    if planned.choice.context_tokens:
        formula = cache_formula(wish, planned, language)
        kept = say("plan_view.why.kept", language, formula=formula)
        yield from folded(kept, width, 2)
    first = next((p.device for p in planned.placements if p.device != CPU), CPU)
    for placement in planned.placements:
        told = say(
            f"plan_view.why.{'device' if has_layers(planned, placement) else 'process'}",
            language,
            device=placement.device,
            layers=placement.layers,
            part_bytes=placement.footprint.total_bytes,
        )
        yield from folded(told, width, 0)
        beside_bytes = wish.beside_bytes if placement.device == first else 0
        for line in _parts(placement, wish, beside_bytes, language):
            yield from folded(line, width, 2, further=4)
    basis = basis_of(planned, plan.host, language)
    yield from folded(say("plan_view.why.basis", language, basis=basis), width, 0)
    if not planned.notes:
        yield from folded(say("plan_view.why.nothing_given_up", language), width, 0)
        return
    yield from folded(say("plan_view.why.given_up", language), width, 0)
    for note in planned.notes:
        yield from folded(plain(note, language), width, 2, further=4)


def _runs(planned: Planned, language: Language) -> str:
    """How it is loaded and run, in one line."""
    choice = planned.choice
    told = [planned.role, say(f"plan_view.{planned.residency}", language, slot=planned.slot)]
    if choice.context_tokens:
        told.append(context_of(planned, language))
        told.append(say(f"plan_view.why.flags.{choice.load_mode}", language))
        if not choice.layers:
            key = "copies" if choice.extra_buffers else "no_copies"
            told.append(say(f"plan_view.why.flags.{key}", language))
    return ", ".join(told)


def _parts(
    placement: Placement, wish: Wish, beside_bytes: int, language: Language
) -> Iterator[str]:
    part = placement.footprint
    told: dict[str, tuple[int, dict[str, str]]] = {
        "weights" if wish.facts else "held": (part.weights_bytes, {}),
        "repacked": (part.repack_bytes, {}),
        "context": (part.kv_bytes, {}),
        "compute": (part.compute_bytes, {}),
        "other": (part.overhead_bytes, {"what": _what(placement, beside_bytes, language)}),
    }
    for name, (count, facts) in told.items():
        if count:
            yield say(f"plan_view.why.{name}", language, part_bytes=count, **facts)


def _what(placement: Placement, beside_bytes: int, language: Language) -> str:
    key = "of_process" if placement.device == CPU else "of_card"
    what = say(f"plan_view.why.{key}", language)
    if not beside_bytes:
        return what
    return say("plan_view.why.with_beside", language, what=what, beside_bytes=beside_bytes)


def _refused(refused: Refused, language: Language, width: int) -> Iterator[str]:
    told = say("plan_view.why.not_planned", language, model=refused.id, reason=refused.reason)
    yield from folded(told, width, 0)
    for what in refused.would_fit:
        yield from folded(say("plan_view.would_fit", language, what=what), width, 2, further=4)
    if is_too_large(refused):
        yield from folded(say("plan_view.nothing_fits", language), width, 2)
