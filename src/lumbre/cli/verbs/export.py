"""`lumbre export`: everything this household knows, in one file."""

from pathlib import Path

import click

from lumbre.cli.place import absolute
from lumbre.cli.session import Session
from lumbre.cli.verb import Verb


@click.command("export", cls=Verb, help="export.help")
@click.argument("file")
@click.pass_obj
def command(session: Session, file: str) -> None:
    from lumbre.server.carry import export_home

    session.prepare()
    target = Path(absolute(file))
    export_home(session.config.folders, target)
    session.print("cli.export.done", file=target, file_bytes=target.stat().st_size)
