"""`lumbre docs`: add files and folders, see what became of them, forget them, look into them."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from lumbre.cli import looking, opening, watching
from lumbre.cli.adding import MOST_SKIPPED
from lumbre.cli.place import absolute, shown
from lumbre.cli.render import as_json, table
from lumbre.cli.session import Session
from lumbre.cli.verb import Group, Verb
from lumbre.core.text import escaped


@click.group("docs", cls=Group, help="docs.help")
def command() -> None:
    pass


@command.command("add", cls=Verb, help="docs.add")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--json", "in_json", is_flag=True, help="json")
@click.pass_obj
def add(session: Session, paths: tuple[str, ...], in_json: bool) -> int:
    from lumbre.cli import adding

    told: list[Mapping[str, Any]] = []
    rows = adding.Rows(session)
    with session.household() as client:
        counts = adding.add(session, client, paths, told.append if in_json else rows)
    if in_json:
        print(as_json(told))
    else:
        session.note("cli.docs.added", **counts)
    return adding.exit_status(counts)


@command.command("list", cls=Verb, help="docs.list")
@click.option("--docs", "under", multiple=True, metavar="PATH", help="under")
@click.option("--all", "every", is_flag=True, help="docs.all")
@click.option("--json", "in_json", is_flag=True, help="json")
@click.pass_obj
def list_(session: Session, under: tuple[str, ...], every: bool, in_json: bool) -> None:
    from urllib.parse import urlencode

    query = urlencode([("under", escaped(absolute(path))) for path in under])
    with session.household() as client:
        documents = client.get(f"/lumbre/docs?{query}")
    if in_json:
        print(as_json(documents))
    elif not documents:
        session.note("cli.docs.none")
    else:
        _print_table(session, documents, every)


@command.command("remove", cls=Verb, help="docs.remove")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--json", "in_json", is_flag=True, help="json")
@click.pass_obj
def remove(session: Session, paths: tuple[str, ...], in_json: bool) -> None:
    body = {"typed": paths, "paths": [absolute(path) for path in paths]}
    with session.household() as client:
        removed = client.delete("/lumbre/docs", body)["removed"]
    if in_json:
        print(as_json(removed))
        return
    for path in removed:
        session.print("cli.docs.removed", document=shown(path))


def _print_table(session: Session, documents: Sequence[Mapping[str, Any]], every: bool) -> None:
    counts = dict.fromkeys(("indexed", "failed", "skipped"), 0)
    for document in documents:
        counts[document["status"]] += 1
    hides = counts["skipped"] > MOST_SKIPPED and not every
    kept = [one for one in documents if not hides or one["status"] != "skipped"]
    if kept:
        header = session.say("cli.docs.columns").split("|")
        print(table(header, [_cells(session, document) for document in kept]))
    session.note("cli.docs.listed", **counts)
    if hides:
        session.note("cli.docs.hidden", skipped=counts["skipped"])


def _cells(session: Session, document: Mapping[str, Any]) -> list[str]:
    state = session.say(f"cli.docs.{document['status']}")
    if document["reason"]:
        state = f"{state}: {session.say('docs.' + document['reason'])}"
    counts = (str(document[name] or "") for name in ("pages", "passages"))
    return [shown(document["document"]), *counts, state]


command.add_command(looking.search)
command.add_command(looking.text)
command.add_command(opening.open_)
command.add_command(watching.watch)
