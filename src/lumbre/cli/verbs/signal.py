"""`lumbre signal`: tell the household that something has happened, or ask an optional model."""

import dataclasses
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import click

from lumbre.cli.render import Moving, as_json, visible
from lumbre.cli.session import Session
from lumbre.cli.verb import Verb
from lumbre.core.errors import BadArguments, HouseholdDied

if TYPE_CHECKING:
    from lumbre.core.signals import Signal

_STDIN = "-"


@click.command("signal", cls=Verb, help="signal.help")
@click.argument("name", required=False)
@click.argument("fields", metavar="[KEY=VALUE]...", nargs=-1)
@click.option("--json", "in_json", is_flag=True, help="json")
@click.pass_obj
def command(session: Session, name: str | None, fields: Sequence[str], in_json: bool) -> None:
    from lumbre.core.signals import parse

    if name is None:
        _list(session, in_json=in_json)
        return
    values = _values(session, fields)
    parse(name, values)  # what is wrong with it is said without a household
    body = {"name": name, "fields": values, "language": session.language}
    notices: list[dict[str, Any]] = []
    with session.household() as client, Moving() as moving:
        last: dict[str, Any] = {}
        with closing(client.stream("/lumbre/signal", body)) as events:
            for last in events:
                if last["event"] == "notice":
                    notices.append({k: v for k, v in last.items() if k != "event"})
                elif last["event"] == "phase":
                    moving.show(session.say("cli.signal.working"))
    if in_json:
        print(as_json({"name": name, "notices": notices, "result": last["result"]}))
    else:
        _show(session, name, notices, last["result"])
    _refuse(last["result"])


def _values(session: Session, fields: Sequence[str]) -> dict[str, str]:
    values = {}
    for field in fields:
        key, equals, value = field.partition("=")
        if not (key and equals):
            raise BadArguments(reason=session.say("cli.signal.form", field=field))
        values[key] = sys.stdin.read() if value == _STDIN else value
    return values


def _show(
    session: Session,
    name: str,
    notices: Sequence[Mapping[str, Any]],
    result: Mapping[str, Any] | None,
) -> None:
    for notice in notices:
        print(visible(notice["message"]))
    if result is None:
        if not notices:
            session.print("cli.signal.heard", name=name)
        return
    if result["text"]:
        print(visible(result["text"]))
    if result["ok"]:
        session.note(
            "cli.signal.result",
            name=result["name"],
            model=result["model"],
            took_s=result["took_s"],
            read=result["prompt_tokens"],
            written=result["output_tokens"],
        )


def _refuse(result: Mapping[str, Any] | None) -> None:
    """Raise what a trigger's result says went wrong."""
    if result is not None and result["error"] is not None:
        from lumbre.core.errors import HouseholdFailed
        from lumbre.server.errors import from_json

        told = from_json({"error": result["error"]})
        raise told or HouseholdFailed(reason=str(result["error"]), log="-")


def _list(session: Session, *, in_json: bool) -> None:
    """Every signal with its fields; what followed from some lately, where a household runs."""
    from lumbre.core.signals import SIGNALS

    lately = _lately(session)
    if in_json:
        rows = [{"name": name, "fields": _fields(kind)} for name, kind in SIGNALS.items()]
        print(as_json({"signals": rows, **lately}))
        return
    for name, kind in SIGNALS.items():
        fields = " ".join(
            f"{field['name']}=" if field["required"] else f"[{field['name']}=]"
            for field in _fields(kind)
        )
        about = session.say(f"cli.signal.{name.lower().replace('.', '_')}")
        print(f"{name} {fields}\n    {about}")
    for key in ("notices", "unfinished"):
        if lately[key]:
            print()
            session.print(f"cli.signal.{key}")
        for told in lately[key]:
            when = time.strftime("%H:%M:%S", time.localtime(told["at"])) if "at" in told else "-"
            print(visible(f"  {when} {told['message']}"))


def _fields(kind: "type[Signal]") -> list[dict[str, Any]]:
    return [
        {"name": item.name, "required": item.default is dataclasses.MISSING}
        for item in dataclasses.fields(kind)
    ]


def _lately(session: Session) -> dict[str, list[dict[str, Any]]]:
    from lumbre.cli.attach import reach, running

    note = running(session)
    if note is not None:
        with suppress(HouseholdDied):
            told: dict[str, list[dict[str, Any]]] = reach(session, note).get(
                f"/lumbre/signal?language={session.language}"
            )
            return told
    return {"notices": [], "unfinished": []}
