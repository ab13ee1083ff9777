"""`lumbre serve`: the household in the foreground, with its eager models loaded."""

import click

from lumbre.cli.session import Session
from lumbre.cli.verb import Verb


@click.command("serve", cls=Verb, help="serve.help")
@click.pass_obj
def command(session: Session) -> int:
    from lumbre.cli.attach import running
    from lumbre.server.daemon import serve
    from lumbre.server.socket import owned

    session.prepare()
    folders = session.config.folders
    with owned(folders, "household", patience_s=1.0) as had:
        if not had:
            note = running(session)
            session.note("cli.serve.already", pid=note.pid if note else "?")
            return 1
        serve(
            session.config,
            stays=True,
            ready=lambda: session.print("cli.serve.ready", socket=folders.socket),
        )
    return 0
