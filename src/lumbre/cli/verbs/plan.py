"""`lumbre plan`: what fits on this machine, or on one a file describes, and what does not."""

import sys
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from lumbre.cli import plan_asked
from lumbre.cli.render import Moving, as_json
from lumbre.cli.session import Session
from lumbre.cli.verb import Verb
from lumbre.core.errors import BadArguments

if TYPE_CHECKING:
    from lumbre.core.plan import Plan
    from lumbre.planning import Wanted

DOES_NOT_FIT = 3
"""The exit status when a model that is to stay loaded has no place."""


@click.command("plan", cls=Verb, help="plan.help")
@click.option("--machine", metavar="NAME|FILE", help="plan.machine")
@click.option("--models", metavar="ID,...", help="plan.models")
@click.option("--household", "described", metavar="NAME|FILE", help="plan.household")
@click.option("--context", metavar="N|max", help="plan.context")
@click.option("--why", metavar="ID", help="plan.why")
@click.option("--json", "in_json", is_flag=True, help="json")
@click.pass_obj
def command(
    session: Session,
    machine: str | None,
    models: str | None,
    described: str | None,
    context: str | None,
    why: str | None,
    in_json: bool,
) -> int:
    if models is not None and described is not None:
        raise BadArguments(reason=session.say("plan_view.ask.models_or_household"))
    if why is not None and in_json:
        raise BadArguments(reason=session.say("plan_view.ask.why_or_json"))
    from lumbre.planning import planning_for

    tokens = plan_asked.context_of(session, context)
    names = plan_asked.ids_of(session, models)
    host, household = plan_asked.where_and_who(session, machine, described)
    if household is None:
        session.prepare()
    with planning_for(session.config) as planning, Moving() as moving:
        wanted = plan_asked.wanted_of(planning, host, household or names, tokens)
        plan_asked.within_training(session, wanted, tokens)
        held = {} if host.is_described else plan_asked.held_by(session, planning)
        moving.show(session.say("cli.plan.asking"))
        plan = planning.plan(wanted, host, held)
    if tokens is not None:
        plan = replace(plan, notes=(*plan.notes, *plan_asked.untouched_by_context(wanted)))
    if in_json:
        from lumbre.cli.plan_json import plan_told

        print(as_json(plan_told(plan, session.language)))
    elif why is not None:
        _show(_why(session, plan, wanted, why))
    else:
        from lumbre.cli.plan_view import plan_lines

        _show(
            plan_lines(
                plan, session.language, width=plan_asked.width(), coloured=_is_coloured(session)
            )
        )
    return 0 if plan.residents_fit else DOES_NOT_FIT


def _why(session: Session, plan: "Plan", wanted: "Wanted", model: str) -> Iterable[str]:
    from lumbre.cli.plan_why import elsewhere, why_lines
    from lumbre.registry.known import find_known

    known = find_known(model)
    meant = {model, known.id if known else model}
    for wish in wanted.wishes:
        if wish.id in meant or wish.role == model:
            return why_lines(plan, wish, session.language, width=plan_asked.width())
    for name in plan.remote:
        if name in meant:
            return elsewhere(name, session.language, width=plan_asked.width())
    ids = [planned.id for planned in plan.models] + [refused.id for refused in plan.refused]
    reason = session.say("plan_view.ask.not_in_plan", model=model, known=[*ids, *plan.remote])
    raise BadArguments(reason=reason)


def _show(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def _is_coloured(session: Session) -> bool:
    """In a terminal, unless its owner asks for none (no-color.org)."""
    wish = session.environment.get
    return sys.stdout.isatty() and not wish("NO_COLOR") and wish("TERM") != "dumb"
