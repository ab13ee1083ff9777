"""`lumbre load`: have a model ready before anybody asks it."""

from contextlib import closing
from typing import Any

import click

from lumbre.cli.one_model import one_model
from lumbre.cli.render import Moving, as_json
from lumbre.cli.session import Session
from lumbre.cli.verb import Verb

_TOLD = ("load_s", "was_loaded", "device", "planned_bytes", "measured_bytes")


@click.command("load", cls=Verb, help="load.help")
@click.argument("model", metavar="MODEL")
@click.option("--json", "in_json", is_flag=True, help="json")
@click.pass_obj
def command(session: Session, model: str, in_json: bool) -> None:
    model_id = one_model(session, model).id
    told: dict[str, Any] = {}
    with session.household() as client:
        asked = client.stream("/lumbre/open", {"models": [model_id], "insists": True})
        with Moving() as moving, closing(asked) as events:
            for event in events:
                if event["event"] == "phase":
                    moving.show(session.say("ask.loading", model=event["model"]))
                elif event["event"] == "loaded":
                    told = {name: event[name] for name in _TOLD}
    if in_json:
        print(as_json({"model": model_id, **told}))
    else:
        key = "cli.load.here" if told["was_loaded"] else "cli.load.done"
        session.print(key, model=model_id, **told)
