"""`lumbre init`: write a household's manifests where the registry reads them."""

import click

from lumbre.cli.session import Session
from lumbre.cli.verb import Verb


@click.command("init", cls=Verb, help="init.help")
@click.option(
    "--household", type=click.Choice(["starter", "tiny"]), default="starter", help="init.household"
)
@click.option("--force", is_flag=True, help="init.force")
@click.pass_obj
def command(session: Session, household: str, force: bool) -> None:
    from lumbre.registry.household import write_household

    folder = session.config.folders.registry
    session.config.folders.make()
    for path in write_household(folder, "tiny" if household == "tiny" else "starter", force=force):
        print(f"  {path.name}")
    session.print("cli.init.done", path=folder)
    session.print("cli.init.next")
