"""`lumbre import`: take over what `lumbre export` wrote, here or on another machine."""

from pathlib import Path

import click

from lumbre.cli.place import absolute
from lumbre.cli.session import Session
from lumbre.cli.verb import Verb


@click.command("import", cls=Verb, help="import.help")
@click.argument("file")
@click.option("--replace", is_flag=True, help="import.replace")
@click.pass_obj
def command(session: Session, file: str, replace: bool) -> None:
    from lumbre.server.carry import import_home

    session.prepare()
    came = import_home(session.config.folders, Path(absolute(file)), replace=replace)
    session.print("cli.import.done", documents=came.documents, talks=came.talks)
    for path in came.kept:
        session.print("cli.import.kept", path=path)
