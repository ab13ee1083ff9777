"""`lumbre docs`: add files and folders, see what became of them, search, remove."""

from contextlib import closing

import click

from lumbre.cli.answer import absolute, shown
from lumbre.cli.render import Moving, as_json, bar, visible, wrapped
from lumbre.cli.session import Session
from lumbre.cli.verb import Group, Verb
from lumbre.core.errors import BadArguments, UnknownDocument
from lumbre.core.text import is_text


@click.group("docs", cls=Group, help="docs.help")
def command() -> None:
    pass


@command.command("add", cls=Verb, help="docs.add")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--json", "in_json", is_flag=True, help="json")
@click.pass_obj
def add(session: Session, paths: tuple[str, ...], in_json: bool) -> int:
    told: list[dict[str, object]] = []
    counts: dict[str, int] = {}
    body = {"paths": [absolute(path) for path in paths]}
    with (
        session.household() as client,
        Moving() as moving,
        closing(client.stream("/lumbre/docs", body)) as events,
    ):
        place = ""
        for event in events:
            match event["event"]:
                case "phase":
                    moving.show(session.say(f"ask.{event['name']}", model=event["model"]))
                case "reading":
                    place = f"{event['number']}/{event['of']} {shown(event['path'])}"
                    moving.show(place)
                case "embedding":
                    moving.show(f"{place} {bar(event['done'] / max(1, event['of']))}")
                case "document":
                    told.append({k: v for k, v in event.items() if k != "event"})
                    if not in_json:
                        moving.clear()
                        print(visible(_row(session, event, changed=event["changed"])), flush=True)
                case "done":
                    counts = {k: v for k, v in event.items() if k != "event"}
    if in_json:
        print(as_json(told))
    else:
        session.note("cli.docs.added", **counts)
    return 0 if counts.get("indexed", 0) + counts.get("unchanged", 0) or not told else 1


@command.command("list", cls=Verb, help="docs.list")
@click.option("--docs", "under", multiple=True, metavar="PATH", help="under")
@click.option("--json", "in_json", is_flag=True, help="json")
@click.pass_obj
def list_(session: Session, under: tuple[str, ...], in_json: bool) -> None:
    from urllib.parse import urlencode

    query = urlencode([("under", absolute(path)) for path in under], errors="surrogateescape")
    with session.household() as client:
        documents = client.get(f"/lumbre/docs?{query}")
    if in_json:
        print(as_json(documents))
        return
    for document in documents:
        print(visible(_row(session, document, changed=True)))
    if not documents:
        session.note("cli.docs.none")


@command.command("remove", cls=Verb, help="docs.remove")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--json", "in_json", is_flag=True, help="json")
@click.pass_obj
def remove(session: Session, paths: tuple[str, ...], in_json: bool) -> None:
    body = {"paths": [absolute(path) for path in paths]}
    with session.household() as client:
        removed = client.delete("/lumbre/docs", body)["removed"]
    if not removed:
        raise UnknownDocument(document=", ".join(paths))
    if in_json:
        print(as_json(removed))
        return
    for path in removed:
        session.print("cli.docs.removed", document=shown(path))


@command.command("search", cls=Verb, help="docs.search")
@click.argument("text")
@click.option("--top", type=click.IntRange(1, 1000), default=3, metavar="N", help="docs.top")
@click.option(
    "--by",
    type=click.Choice(["passage", "document"]),
    default="passage",
    help="docs.by",
)
@click.option("--docs", "under", multiple=True, metavar="PATH", help="under")
@click.option("--json", "in_json", is_flag=True, help="json")
@click.pass_obj
def search(
    session: Session, text: str, top: int, by: str, under: tuple[str, ...], in_json: bool
) -> None:
    if not is_text(text):
        raise BadArguments(reason=session.say("cli.not_text", what="TEXT"))
    body = {"text": text, "top": top, "by": by, "language": session.language}
    if under:
        body["docs"] = [absolute(path) for path in under]
    with session.household() as client, Moving() as moving:
        moving.show(session.say("ask.retrieve"))
        hits = client.post("/lumbre/docs/search", body)
    if in_json:
        print(as_json(hits))
        return
    for number, hit in enumerate(hits, start=1):
        page = session.say("cli.docs.page", page=hit["page"]) if hit["page"] else ""
        print(f"{number}. {shown(hit['document'])}{page}  ({hit['score']:.2f})")
        print(wrapped(hit["text"], indent=3))


def _row(session: Session, document: dict[str, object], *, changed: bool) -> str:
    path = shown(str(document["path"]))
    if document["status"] != "indexed":
        reason = session.say(f"docs.{document['reason']}")
        return session.say(f"cli.docs.row_{document['status']}", document=path, reason=reason)
    kind = "row" if changed else "row_unchanged"
    pages = session.say("cli.docs.pages", pages=document["pages"]) if document["pages"] else ""
    return session.say(
        f"cli.docs.{kind}", document=path, passages=document["passages"], pages=pages
    )
