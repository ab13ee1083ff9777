"""Show an answer as it comes: the words, then what they stand on."""

import os
import shlex
import sys
from collections.abc import Generator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from lumbre.cli.explain import explain_on
from lumbre.cli.link import linked
from lumbre.cli.place import absolute, shown
from lumbre.cli.render import Moving, bar, visible
from lumbre.cli.session import Session

if TYPE_CHECKING:
    from lumbre.cli.client import Client


def ask(
    session: Session,
    client: "Client",
    question: str,
    *,
    docs: tuple[str, ...] = (),
    model: str | None = None,
    conversation: str | int | None = None,
    explain: bool = False,
) -> Generator[dict[str, Any]]:
    """The events of one answer."""
    body = {
        "question": question,
        "docs": [absolute(path) for path in docs] or None,
        "model": model,
        "conversation": conversation,
        "language": session.language,
        "client_pid": os.getpid(),
        "explain": explain or None,
    }
    return client.stream("/lumbre/ask", {k: v for k, v in body.items() if v is not None})


def show(session: Session, events: Generator[dict[str, Any]], question: str) -> dict[str, Any]:
    """Print the words as they come, then citations and figures; the last event."""
    last: dict[str, Any] = {}
    spoken = False
    with Moving() as moving, closing(events):
        for event in events:
            last = event
            match event["event"]:
                case "phase":
                    moving.show(_phase(session, event))
                case "progress":
                    moving.show(_progress(session, event))
                case "text":
                    moving.clear()
                    spoken = True
                    sys.stdout.write(visible(event["text"]))
                    sys.stdout.flush()
    if spoken:
        print()
    foot(session, last["answer"], question)
    return last


def foot(session: Session, answer: Mapping[str, Any], question: str) -> None:
    """Citations, or where to look without them; what was left out, and what it took."""
    quoted = answer["origin"] == "extractive"  # the answer's own words are the quotes
    for citation in answer["citations"]:
        place = f"citation{'_page' if citation['page'] else ''}{'_quoted' if quoted else ''}"
        facts = {
            "id": citation["id"],
            "document": linked(shown(citation["document"]), citation["document"], citation["page"]),
            "page": citation["page"],
            "quote": visible(_line(citation["quote"])),
        }
        print(session.say(f"ask.{place}", **facts))
    if answer["unsupported"]:
        session.note("ask.unsupported")
    if explained := answer.get("explained"):
        explain_on(session, explained)
    if not answer["answered"]:
        session.note("ask.look", command=f"lumbre docs search {shlex.quote(question)}")
    for left in answer["prompt"]["left_out"]:
        session.note("ask.left_out", **left)
    session.note(
        "ask.summary",
        model=answer["model"],
        first_token_s=answer["timing"]["first_token_s"],
        total_s=answer["timing"]["total_s"],
        peak_bytes=answer["memory"]["peak_bytes"],
    )


def _phase(session: Session, event: Mapping[str, Any]) -> str:
    return session.say(f"ask.{event['name']}", model=event["model"])


def _progress(session: Session, event: Mapping[str, Any]) -> str:
    share = event["read_tokens"] / max(1, event["total_tokens"])
    return f"{session.say('ask.read', model='')} {bar(share)}"


def _line(text: str) -> str:
    return " ".join(text.split())
