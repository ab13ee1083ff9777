"""`lumbre stop`: end the household in the background."""

import click

from lumbre.cli.session import Session
from lumbre.cli.verb import Verb


@click.command("stop", cls=Verb, help="stop.help")
@click.pass_obj
def command(session: Session) -> None:
    from lumbre.cli.attach import end, running

    note = running(session)
    if note is None:
        session.print("cli.ps.none")
        return
    end(session, note)
    session.print("cli.stop.done")
