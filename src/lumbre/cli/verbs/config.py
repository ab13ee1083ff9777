"""`lumbre config`: every setting in force, and where it comes from."""

import json

import click

from lumbre.cli.render import as_json
from lumbre.cli.session import Session
from lumbre.cli.verb import Verb
from lumbre.config.load import keys, nearest
from lumbre.core.errors import UnknownConfigKey


@click.command("config", cls=Verb, help="config.help")
@click.option("--why", metavar="KEY", help="config.why_option")
@click.option("--json", "in_json", is_flag=True, help="json")
@click.pass_obj
def command(session: Session, why: str | None, in_json: bool) -> None:
    if why and why not in keys():
        raise UnknownConfigKey(key=why, nearest=nearest(why, keys()), where="--why")
    rows = [row for row in session.config.values() if why in (None, row[0])]
    if in_json:
        table = {
            key: {"value": value, "from": origin.layer, "where": origin.where}
            for key, value, origin in rows
        }
        print(as_json(table))
        return
    if not why:
        session.print("cli.config.file", path=session.config.folders.config_file)
    for key, value, origin in rows:
        facts = {"key": key, "value": json.dumps(value, ensure_ascii=False)}
        session.print(f"cli.config.from_{origin.layer}", **facts, where=origin.where)
