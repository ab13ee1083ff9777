"""A plan as a person reads it: who gets what of which memory, and who gets nothing."""

from collections.abc import Iterator, Sequence

from lumbre.cli.plan_bars import bars, letters_of
from lumbre.cli.plan_table import NOTHING, laid_out, side_by_side
from lumbre.cli.render import folded
from lumbre.core.machine import CPU, Device, Host
from lumbre.core.plan import Placement, Plan, Planned, Refused
from lumbre.words import Language, Sentence, number, say, size

_OFFERED = 3
"""Things that would fit instead, told of each model without a place."""
_FEW = 10
"""Fewer tokens a second than this are told with a decimal."""


def plan_lines(plan: Plan, language: Language, *, width: int, coloured: bool) -> Iterator[str]:
    """Lines no wider than `width`, as far as names allow."""
    yield from host_lines(plan.host, language, width)
    if not plan.models and not plan.refused and not plan.remote:
        yield ""
        yield from folded(say("plan_view.nothing_planned", language), width, 0)
        return
    if plan.models:
        yield ""
        yield from _models(plan, language, width)
    yield from _remote(plan, language, width)
    if plan.models:
        yield ""
        yield say("plan_view.memory", language)
        yield from bars(plan, language, width=width, coloured=coloured)
        yield ""
        yield from _totals(plan, language, width)
    if plan.refused:
        yield ""
        yield from _refused(plan, language, width)
    if notes := list(_notes(plan, language)):
        yield ""
        yield say("plan_view.notes", language)
        for note in notes:
            yield from folded(note, width, 2)
    yield ""
    yield from _basis(plan, language, width)
    for sentence in verdict(plan, language):
        yield from folded(sentence, width, 0)


def verdict(plan: Plan, language: Language) -> tuple[str, ...]:
    """Whether everything has a place; those that are to stay loaded first."""
    refused = [one.id for one in plan.refused]
    placeless = [name for name in plan.not_resident if name in refused]
    taking_turns = [name for name in plan.not_resident if name not in refused]
    said: list[str] = []
    if placeless:
        said.append(say("plan_view.residents_do_not_fit", language, models=placeless))
    elif refused:
        said.append(say("plan_view.not_everything_fits", language, models=refused))
    if taking_turns:
        said.append(say("plan_view.residents_take_turns", language, models=taking_turns))
    return tuple(said) or (say("plan_view.everything_fits", language),)


def plain(text: str, language: Language) -> str:
    """A sentence of the plan in a language; a text that is none stays as it is."""
    return say("plan_view.text", language, text=text)


def basis_of(planned: Planned, host: Host, language: Language) -> str:
    """What a model's figures stand on."""
    name = planned.basis
    if name == "formula" and _is_elsewhere(planned, host):
        return say("plan_view.basis.formula_elsewhere", language)
    return say(f"plan_view.basis.{name}", language)


def _is_elsewhere(planned: Planned, host: Host) -> bool:
    """On a device of which nothing was ever measured here."""
    return host.is_described or any(placed.device != CPU for placed in planned.placements)


def context_of(planned: Planned, language: Language) -> str:
    """Its context, slots and kind of cache; empty where it has none."""
    choice = planned.choice
    if not choice.context_tokens:
        return ""
    key = "context" if choice.slots == 1 else "context_in_slots"
    told = say(
        f"plan_view.{key}", language, context_tokens=choice.context_tokens, slots=choice.slots
    )
    if choice.kv_type == "f16":
        return told
    return say("plan_view.context_in_kind", language, context=told, kv_type=choice.kv_type)


def host_lines(host: Host, language: Language, width: int) -> Iterator[str]:
    """A machine: its name, its devices with their memory, the driver of its cards."""
    name = say(
        f"plan_view.{'described' if host.is_described else 'this'}", language, name=host.name
    )
    yield from folded(name, width, 0)
    rows = [
        (f"  {device.id}", _device(device, host, language), _memory(device, language))
        for device in host.devices
    ]
    yield from side_by_side(rows, width)
    if host.driver:
        told = say("plan_view.driver", language, driver=host.driver, cuda=host.cuda or NOTHING)
        yield from folded(told, width, 2)


def _device(device: Device, host: Host, language: Language) -> str:
    if device.id == CPU:
        return say("plan_view.cores", language, name=device.name, cores=host.cores)
    if device.compute_capability is None:
        return device.name
    return say("plan_view.card", language, name=device.name, capability=device.compute_capability)


def _memory(device: Device, language: Language) -> str:
    return say(
        "plan_view.of_memory",
        language,
        total_bytes=device.total_bytes,
        free_bytes=device.free_bytes,
    )


def _models(plan: Plan, language: Language, width: int) -> Iterator[str]:
    """One table: a line about each model, below it a row for each device it is on."""
    head, *labels = say("plan_view.columns", language).split("|")
    table: list[Sequence[str]] = [(say("plan_view.models", language) + head, *labels)]
    heads, letters = dict[int, list[str]](), letters_of(plan)
    for planned in plan.models:
        heads[len(table)] = _about(planned, letters[planned.id], language, width)
        table += [_row(placement, planned, language) for placement in planned.placements]
    heads[len(table)] = folded(say("plan_view.system", language), width, 0)
    table += [
        (f"  {total.device}", "", "", "", "", size(total.system_bytes, language))
        for total in plan.totals
    ]
    for number_of, lines in enumerate(laid_out(table, language, width)):
        yield from heads.get(number_of, ())
        yield from lines


def _remote(plan: Plan, language: Language, width: int) -> Iterator[str]:
    if plan.remote and not plan.models:
        yield ""
        yield say("plan_view.models", language)
    for model in plan.remote:
        yield from folded(say("plan_view.remote", language, model=model), width, 0)


def _about(planned: Planned, letter: str, language: Language, width: int) -> list[str]:
    told = [
        planned.role,
        say(f"plan_view.{planned.residency}", language, slot=planned.slot),
        context_of(planned, language),
        _speed(planned, language),
        say(f"plan_view.basis.{planned.basis}", language),
    ]
    text = f"{letter} {planned.id}: {', '.join(filter(None, told))}"
    return list(folded(text, width, 0, further=2))


def _speed(planned: Planned, language: Language) -> str:
    speed = planned.tokens_per_s
    if speed is None:
        return ""
    return say("plan_view.speed", language, speed=number(speed, language, int(speed < _FEW)))


def has_layers(planned: Planned, placement: Placement) -> bool:
    """Whether the model is one that is placed by layers."""
    return bool(planned.choice.context_tokens or placement.layers)


def _row(placement: Placement, planned: Planned, language: Language) -> tuple[str, ...]:
    part = placement.footprint
    sizes = (
        part.weights_bytes + part.repack_bytes,
        part.kv_bytes,
        part.compute_bytes + part.overhead_bytes,
        part.total_bytes,
    )
    told = [size(count, language) if count else NOTHING for count in sizes]
    return (
        f"  {placement.device}",
        str(placement.layers) if has_layers(planned, placement) else NOTHING,
        *told,
    )


def _totals(plan: Plan, language: Language, width: int) -> Iterator[str]:
    rows = [say("plan_view.totals", language).split("|")]
    rows += [
        [
            f"  {total.device}",
            *(
                size(count, language)
                for count in (
                    total.min_bytes,
                    total.typical_bytes,
                    total.max_bytes,
                    total.limit_bytes,
                    total.system_bytes,
                )
            ),
        ]
        for total in plan.totals
    ]
    for lines in laid_out(rows, language, width):
        yield from lines
    yield from folded(say("plan_view.totals_told", language), width, 2)


def _refused(plan: Plan, language: Language, width: int) -> Iterator[str]:
    yield say("plan_view.not_fitting", language)
    for refused in plan.refused:
        reason = plain(refused.reason, language)
        told = (
            reason
            if reason.startswith(refused.id)
            else say("plan_view.refused", language, model=refused.id, reason=reason)
        )
        yield from folded(told, width, 2, further=4)
        for what in refused.would_fit[:_OFFERED]:
            yield from folded(say("plan_view.would_fit", language, what=what), width, 4, further=6)
        if is_too_large(refused):
            yield from folded(say("plan_view.nothing_fits", language), width, 4)


def is_too_large(refused: Refused) -> bool:
    """Whether it was weighed, and neither it nor anything like it has a place."""
    return not refused.would_fit and refused.reason.key.startswith("plan.")


def _notes(plan: Plan, language: Language) -> Iterator[str]:
    for note in plan.notes:
        yield plain(note, language)
    for planned in plan.models:
        for note in planned.notes:
            yield say("plan_view.note", language, model=planned.id, note=note)
        copied = sum(p.footprint.repack_bytes for p in planned.placements)
        if copied:
            note = Sentence("plan_view.and_repacked", repack_bytes=copied)
            yield say("plan_view.note", language, model=planned.id, note=note)


def _basis(plan: Plan, language: Language, width: int) -> Iterator[str]:
    """What each kind of figure that was shown stands on, in one line."""
    shown = dict.fromkeys(
        (planned.basis, basis_of(planned, plan.host, language)) for planned in plan.models
    )
    for kind, basis in shown:
        told = say(f"plan_view.basis.told.{kind}", language, basis=basis)
        yield from folded(told, width, 0, further=2)
