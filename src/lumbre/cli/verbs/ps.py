"""`lumbre ps`: what runs, and the memory it really holds."""

import click

from lumbre.cli.fitting import fitting, terminal_width
from lumbre.cli.render import as_json
from lumbre.cli.session import Session
from lumbre.cli.verb import Verb
from lumbre.words import number, size

NOBODY: dict[str, object] = {
    "household": None,
    "models": [],
    "devices": [],
    "total_bytes": 0,
    "budget_bytes": 0,
}
"""What `--json` says where nothing runs."""


@click.command("ps", cls=Verb, help="ps.help")
@click.option("--json", "in_json", is_flag=True, help="json")
@click.pass_obj
def command(session: Session, in_json: bool) -> None:
    from lumbre.cli.attach import reach, running

    note = running(session)
    if note is None:
        if in_json:
            print(as_json(NOBODY))
        else:
            session.print("cli.ps.none")
        return
    seen = reach(session, note).get("/lumbre/ps")
    if in_json:
        print(as_json(seen))
        return
    household = seen["household"]
    session.print(
        "cli.ps.household_line",
        pid=household["pid"],
        uptime_s=household["uptime_s"],
        household_bytes=household["measured_bytes"],
        total_bytes=seen["total_bytes"],
    )
    for device in seen["devices"]:
        facts = {name: device[name] for name in ("committed_bytes", "budget_bytes")}
        session.print("cli.ps.device_line", device=device["id"], **facts)
    if not seen["models"]:
        session.print("cli.ps.no_models")
        return
    rows = [
        (
            model["id"],
            model["role"],
            session.say(f"cli.ps.{model['state']}"),
            model["device"],
            size(model["measured_bytes"], session.language),
            size(model["planned_bytes"], session.language),
            str(model["leases"]),
            f"{number(model['idle_s'], session.language, 0)} s",
            str(model["pid"] or ""),
        )
        for model in seen["models"]
    ]
    heads = session.say("cli.ps.columns").split("|")
    print(fitting(heads, rows, droppable=(8, 6, 1, 5, 3), width=terminal_width()))
