"""`lumbre docs search` and `lumbre docs text`: what stands in the documents, found or whole."""

import re
import sys
from contextlib import closing
from typing import Any

import click

from lumbre.cli.link import linked
from lumbre.cli.place import absolute, shown
from lumbre.cli.render import Moving, as_json, visible, wrapped
from lumbre.cli.session import Session
from lumbre.cli.verb import Verb, placeholders
from lumbre.core.errors import BadArguments
from lumbre.core.text import is_text

_RANGE = re.compile(r"(?P<start>\d*):(?P<end>\d*)", re.ASCII)


@click.command("search", cls=Verb, help="docs.search")
@click.argument("text", required=False)
@click.option("--queries", metavar="FILE.jsonl", help="docs.queries")
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
    session: Session,
    text: str | None,
    queries: str | None,
    top: int,
    by: str,
    under: tuple[str, ...],
    in_json: bool,
) -> None:
    wanted = {"top": top, "by": by, "language": session.language}
    if under:
        wanted["docs"] = [absolute(path) for path in under]
    if queries is not None:
        if text is not None:
            raise BadArguments(reason=session.say("cli.too_many", words=text))
        _search_all(session, queries, wanted)
        return
    called = placeholders("TEXT", session.language)
    if text is None:
        raise BadArguments(reason=session.say("cli.missing", name=called))
    if not text.strip():
        raise BadArguments(reason=session.say("cli.empty_question"))
    if not is_text(text):
        raise BadArguments(reason=session.say("cli.not_text", what=called))
    with session.household() as client, Moving() as moving:
        moving.show(session.say("ask.retrieve"))
        hits = client.post("/lumbre/docs/search", wanted | {"text": text})
    if in_json:
        print(as_json(hits))
        return
    for number, hit in enumerate(hits, start=1):
        _print_hit(session, number, hit)


@click.command("text", cls=Verb, help="docs.text")
@click.argument("document")
@click.option("--range", "wanted", metavar="A:B", help="docs.range")
@click.option("--json", "in_json", is_flag=True, help="json")
@click.pass_obj
def text(session: Session, document: str, wanted: str | None, in_json: bool) -> None:
    body: dict[str, object] = {"document": document, "absolute": absolute(document)}
    if wanted is not None:
        edges = _RANGE.fullmatch(wanted)
        if edges is None:
            raise BadArguments(reason=session.say("cli.docs.range_form", given=wanted))
        body |= {name: int(edge) for name, edge in edges.groupdict().items() if edge}
    with session.household() as client:
        found = client.post("/lumbre/docs/text", body)
    if in_json:
        print(as_json(found))
    else:
        _write(found["text"])


def _search_all(session: Session, queries: str, wanted: dict[str, Any]) -> None:
    from lumbre.cli.queries import read

    asked = read(session, queries)
    if not asked:
        return
    with (
        session.household() as client,
        closing(client.stream("/lumbre/docs/searches", wanted | {"queries": asked})) as events,
    ):
        for event in events:
            if event["event"] == "hits":
                found = {"id": event["id"], "hits": event["hits"]}
                print(as_json(found, indent=None), flush=True)


def _print_hit(session: Session, number: int, hit: dict[str, Any]) -> None:
    page = session.say("cli.docs.page", page=hit["page"]) if hit["page"] else ""
    where = linked(f"{shown(hit['document'])}{page}", hit["document"], hit["page"])
    print(f"{number}. {where}  ({hit['score']:.2f})")
    print(wrapped(hit["text"], indent=3))


def _write(text: str) -> None:
    """To the letter, whatever the encoding of the terminal; nothing in it moves a cursor."""
    if sys.stdout.isatty():
        print(visible(text), end="" if text.endswith("\n") else "\n")
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()
