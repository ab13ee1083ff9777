"""Have the household read files, and say what became of each while it does."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from lumbre.cli.place import absolute, shown
from lumbre.cli.render import Moving, bar, visible
from lumbre.cli.session import Session

if TYPE_CHECKING:
    from lumbre.cli.client import Client

Counts = dict[str, int]
MOST_SKIPPED = 20
"""Files of other kinds named one by one; a folder of photos is only counted."""


def add(
    session: Session,
    client: "Client",
    paths: Sequence[str],
    told: Callable[[Mapping[str, Any]], None],
) -> Counts:
    """Add files and folders; each document is told of with its line taken away from under it."""
    body = {"paths": [absolute(path) for path in paths]}
    place = ""
    with Moving() as moving, closing(client.stream("/lumbre/docs", body)) as events:
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
                    moving.clear()
                    told({name: value for name, value in event.items() if name != "event"})
                case "done":
                    return {name: value for name, value in event.items() if name != "event"}
    return {}


class Rows:
    """Prints what is news of each document."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._skipped = 0

    def __call__(self, document: Mapping[str, Any]) -> None:
        status = document["status"]
        self._skipped += status == "skipped"
        is_news = document["changed"] or status == "failed"
        if is_news and (status != "skipped" or self._skipped <= MOST_SKIPPED):
            print(visible(row(self._session, document)), flush=True)


def row(session: Session, document: Mapping[str, Any]) -> str:
    """A document and what became of it, on one line."""
    path, status = shown(str(document["document"])), document["status"]
    if status == "removed":
        return session.say("cli.docs.row_removed", document=path)
    if status != "indexed":
        reason = session.say(f"docs.{document['reason']}")
        return session.say(f"cli.docs.row_{status}", document=path, reason=reason)
    pages = session.say("cli.docs.pages", pages=document["pages"]) if document["pages"] else ""
    return session.say("cli.docs.row", document=path, passages=document["passages"], pages=pages)


def exit_status(counts: Counts) -> int:
    """0 when a document is in or unchanged, or there was nothing that could not be read."""
    is_in = counts.get("indexed", 0) + counts.get("unchanged", 0)
    return 0 if is_in or not counts.get("failed", 0) + counts.get("skipped", 0) else 1
