"""`lumbre advise`: what this machine could do and does not, with figures."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from lumbre.cli import plan_asked
from lumbre.cli.plan_table import tied, untied
from lumbre.cli.plan_view import host_lines, plain
from lumbre.cli.render import Moving, as_json, folded
from lumbre.cli.session import Session
from lumbre.cli.verb import Verb

if TYPE_CHECKING:
    from lumbre.core.machine import Host
    from lumbre.core.plan import Plan
    from lumbre.planner.advise import Advice, Candidate
    from lumbre.planning import Planning, Wanted


@click.command("advise", cls=Verb, help="advise.help")
@click.option("--machine", metavar="NAME|FILE", help="plan.machine")
@click.option("--household", "described", metavar="NAME|FILE", help="plan.household")
@click.option("--json", "in_json", is_flag=True, help="json")
@click.pass_obj
def command(session: Session, machine: str | None, described: str | None, in_json: bool) -> None:
    from lumbre.planner.advise import advise
    from lumbre.planning import planning_for

    host, household = plan_asked.where_and_who(session, machine, described)
    if household is None:
        session.prepare()
    with planning_for(session.config) as planning, Moving() as moving:
        wanted = plan_asked.wanted_of(planning, host, household, None)
        moving.show(session.say("advise.looking"))
        held = {} if host.is_described else plan_asked.held_by(session, planning)
        plan = planning.plan(wanted, host, held)
        known = _candidates(planning, wanted, host)
        with planning.estimating(wanted) as estimate:
            found = advise(plan, wanted.wishes, known, host, estimate)
    if in_json:
        print(as_json({"advice": [_told(advice, session) for advice in found]}))
        return
    for line in _lines(session, plan, found):
        print(line)


def _candidates(planning: "Planning", wanted: "Wanted", host: "Host") -> "list[Candidate]":
    """Known chat models, each in the quant most people take.

    One made for code is worth telling only where one is in the household already.
    """
    from lumbre.planner.advise import Candidate
    from lumbre.registry.known import find_known, known_models
    from lumbre.registry.naming import parse_name

    mine = [known for wish in wanted.wishes if (known := find_known(wish.id))]
    codes = any("code" in known.capabilities for known in mine)
    found = []
    for known in known_models():
        makes_code = "code" in known.capabilities and not codes
        if makes_code or not (known.usual and known.is_advised and known.chats):
            continue
        wish = planning.wish(known.manifest(), host)
        if wish is not None:
            family = parse_name(known.id).family
            found.append(
                Candidate(
                    wish=wish,
                    parameters=float(known.parameters),
                    family=family,
                    download_bytes=known.file_bytes + known.beside_bytes,
                )
            )
    return found


def _lines(session: Session, plan: "Plan", found: "Sequence[Advice]") -> Iterator[str]:
    language, width = session.language, plan_asked.width()
    yield from host_lines(plan.host, language, width)
    yield ""
    if not plan.models and not plan.refused:
        yield from folded(session.say("advise.nobody"), width, 0)
        return
    if plan.refused:
        models = [refused.id for refused in plan.refused]
        yield from folded(session.say("advise.no_place_first", models=models), width, 0)
        yield ""
    if not found:
        yield from folded(session.say("advise.all_well"), width, 0)
        return
    yield session.say("advise.title")
    for number, advice in enumerate(found, start=1):
        told = session.say("advise.one", number=number, advice=advice.sentence)
        yield from folded(told, width, 2, further=5)
        if about := _about(session, advice):
            yield from folded(about, width, 5)
        if then := _then(session, advice, width - 5):
            yield from untied(folded(then, width, 5))
    yield ""
    yield from folded(session.say("advise.figures"), width, 0)


def _about(session: Session, advice: "Advice") -> str:
    """Whose the model is that would come."""
    from lumbre.registry.known import find_known

    known = find_known(advice.candidate.wish.id) if advice.candidate else None
    if known is None:
        return ""
    return session.say("advise.about", name=known.name, licence=known.licence, files=known.files)


def _then(session: Session, advice: "Advice", width: int) -> str:
    """The command that follows it; empty where there is none."""
    from lumbre.registry.known import find_known

    if advice.candidate is None:
        return session.say("advise.use", command=tied("lumbre engines list", width))
    known = find_known(advice.candidate.wish.id)
    if known is None or not known.address:
        return ""
    return session.say("advise.get", command=tied(f"lumbre models add {known.address}", width))


def _told(advice: "Advice", session: Session) -> Mapping[str, Any]:
    candidate = advice.candidate
    return {
        "kind": advice.kind,
        "text": plain(advice.sentence, session.language),
        "model": advice.model,
        "device": advice.device or None,
        "candidate": candidate.wish.id if candidate else None,
        "download_bytes": candidate.download_bytes if candidate else 0,
        "size_bytes": advice.size_bytes,
        "tokens_per_s": advice.tokens_per_s,
    }
