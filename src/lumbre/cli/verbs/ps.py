"""`lumbre ps`: what runs, and the memory it really holds."""

import json

import click

from lumbre.cli.render import table
from lumbre.cli.session import Session
from lumbre.cli.verb import Verb
from lumbre.words import number, size


@click.command("ps", cls=Verb, help="ps.help")
@click.option("--json", "as_json", is_flag=True, help="json")
@click.pass_obj
def command(session: Session, as_json: bool) -> None:
    from lumbre.cli.attach import Client, running

    note = running(session)
    if note is None:
        if as_json:
            print(json.dumps({"household": None, "models": [], "total_bytes": 0}))
        else:
            session.print("cli.ps.none")
        return
    seen = Client(session.config.folders.socket, session, note.pid).get("/lumbre/ps")
    if as_json:
        print(json.dumps(seen, ensure_ascii=False, indent=2))
        return
    household = seen["household"]
    session.print(
        "cli.ps.household_line",
        pid=household["pid"],
        uptime_s=household["uptime_s"],
        household_bytes=household["measured_bytes"],
        total_bytes=seen["total_bytes"],
    )
    if not seen["models"]:
        session.print("cli.ps.no_models")
        return
    rows = [
        (
            model["id"],
            model["role"],
            session.say(f"cli.ps.{model['state']}"),
            size(model["measured_bytes"], session.language),
            size(model["planned_bytes"], session.language),
            str(model["leases"]),
            f"{number(model['idle_s'], session.language, 0)} s",
            str(model["pid"] or ""),
        )
        for model in seen["models"]
    ]
    print(table(session.say("cli.ps.columns").split("|"), rows))
