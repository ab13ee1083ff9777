"""`lumbre unload`: have a model's memory back now."""

from contextlib import closing

import click

from lumbre.cli.one_model import one_model
from lumbre.cli.render import Moving, as_json
from lumbre.cli.session import Session
from lumbre.cli.verb import Verb


@click.command("unload", cls=Verb, help="unload.help")
@click.argument("model", metavar="MODEL")
@click.option("--json", "in_json", is_flag=True, help="json")
@click.pass_obj
def command(session: Session, model: str, in_json: bool) -> None:
    from lumbre.cli.attach import reach, running

    model_id = one_model(session, model).id
    told: dict[str, object] = {
        "was_loaded": False,
        "is_wanted": False,
        "held_bytes": 0,
        "freed_bytes": 0,
    }
    note = running(session)
    if note is not None:
        asked = reach(session, note).stream("/lumbre/unload", {"model": model_id})
        with Moving() as moving, closing(asked) as events:
            for event in events:
                if event["event"] == "unloading" and event["leases"]:
                    session.note("cli.unload.in_use", model=model_id, leases=event["leases"])
                elif event["event"] == "unloading":
                    moving.show(session.say("cli.unload.ending", model=model_id))
                elif event["event"] == "done":
                    told = {name: event[name] for name in told}
    if in_json:
        print(as_json({"model": model_id, **told}))
    elif not told["was_loaded"]:
        session.print("cli.unload.not_loaded", model=model_id)
    elif told["is_wanted"]:
        session.print("cli.unload.again", model=model_id)
    elif not told["held_bytes"]:  # it was only starting, or ending already
        session.print("cli.unload.at_once", model=model_id)
    else:
        session.print("cli.unload.done", model=model_id, **told)
