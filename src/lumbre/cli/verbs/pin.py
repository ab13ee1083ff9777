"""`lumbre pin`: models that stay loaded, whoever else wants their place."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import click

from lumbre.cli.fitting import fitting, terminal_width
from lumbre.cli.one_model import one_model
from lumbre.cli.render import Moving, as_json
from lumbre.cli.session import Session
from lumbre.cli.verb import Verb, placeholders
from lumbre.core.errors import BadArguments, HouseholdDied

_KEY = "pool.pinned"
_LOADED = ("starting", "ready")


@click.command("pin", cls=Verb, help="pin.help")
@click.argument("model", metavar="[MODEL]", required=False)
@click.option("--off", is_flag=True, help="pin.off")
@click.option("--json", "in_json", is_flag=True, help="json")
@click.pass_obj
def command(session: Session, model: str | None, off: bool, in_json: bool) -> None:
    pinned = session.config.settings.pool.pinned
    if model is None:
        if off:
            name = placeholders("MODEL", session.language)
            raise BadArguments(reason=session.say("cli.missing", name=name))
        _show(session, pinned, in_json=in_json)
        return
    # one whose manifest is gone can still be let go of
    model_id = model if off and model in pinned else one_model(session, model).id
    if off and model_id not in pinned:
        if in_json:
            print(as_json({"pinned": list(pinned)}))
        else:
            session.print("cli.pin.not_pinned", model=model_id)
        return
    with _kept(session, model_id, is_pinned=not off) as now:
        is_loaded = _tell(session, model_id, is_pinned=not off)
    if in_json:
        print(as_json({"pinned": now}))
    else:
        session.print("cli.pin.undone" if off else "cli.pin.done", model=model_id)
    if not off:
        fits = _fit(session, now)
        if fits and not is_loaded:
            session.note("cli.pin.loads_later", model=model_id)


@contextmanager
def _kept(session: Session, model_id: str, *, is_pinned: bool) -> Iterator[list[str]]:
    """Write the setting, which another command may have changed since this one began; where
    something else than the file sets it, say so. What is pinned now, for as long as no other
    command can change it."""
    from lumbre.cli.settings_file import changed_setting

    def change(written: Sequence[str] | None) -> list[str]:
        before = session.config.settings.pool.pinned if written is None else written
        others = [name for name in before if name != model_id]
        return [*others, model_id] if is_pinned else others

    with changed_setting(session.config.folders.config_file, _KEY, change) as now:
        origin = session.config.origins.get(_KEY)
        if origin is not None and origin.layer != "file":
            session.note("cli.pin.elsewhere", where=origin.where)
        yield now


def _tell(session: Session, model_id: str, *, is_pinned: bool) -> bool:
    """Have the household that runs keep to it from now on. Whether the model is loaded."""
    from lumbre.cli.attach import reach, running

    note = running(session)
    if note is None:
        return False
    with suppress(HouseholdDied):  # the next one reads the setting
        told = reach(session, note).post("/lumbre/pin", {"model": model_id, "is_pinned": is_pinned})
        return bool(told["is_loaded"])
    return False


def _fit(session: Session, pinned: Sequence[str]) -> bool:
    """Whether these can all be loaded beside what loads at start; says what is short."""
    from lumbre.cli import plan_asked
    from lumbre.planning import planning_for

    host, _ = plan_asked.where_and_who(session, None, None)
    with planning_for(session.config) as planning, Moving() as moving:
        every = planning.wanted(host)
        staying = tuple(
            replace(wish, eager=True) for wish in every.wishes if wish.eager or wish.id in pinned
        )
        held = plan_asked.held_by(session, planning)
        moving.show(session.say("cli.plan.asking"))
        plan = planning.plan(replace(every, wishes=staying, refused=()), host, held)
    for refused in plan.refused:
        session.note("cli.pin.too_much", reason=refused.reason)
    if turns := [one.id for one in plan.models if one.slot]:
        session.note("plan_view.residents_take_turns", models=turns)
    return not (plan.refused or turns)


def _show(session: Session, pinned: Sequence[str], *, in_json: bool) -> None:
    states = {model["id"]: model["state"] for model in _running(session)}
    if in_json:
        rows = [{"id": name, "state": states.get(name)} for name in pinned]
        print(as_json({"pinned": list(pinned), "models": rows}))
        return
    if not pinned:
        session.print("cli.pin.none")
        return
    told = [(name, _state(session, states.get(name))) for name in pinned]
    heads = session.say("cli.pin.columns").split("|")
    print(fitting(heads, told, width=terminal_width()))


def _running(session: Session) -> Sequence[Mapping[str, Any]]:
    from lumbre.cli.attach import reach, running

    note = running(session)
    if note is None:
        return ()
    with suppress(HouseholdDied):
        models: Sequence[Mapping[str, Any]] = reach(session, note).get("/lumbre/ps")["models"]
        return models
    return ()


def _state(session: Session, state: str | None) -> str:
    return session.say(f"cli.ps.{state}" if state else "cli.pin.not_loaded")
