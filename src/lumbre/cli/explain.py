"""Tell why an answer is what it is: what was searched, found, checked and chosen."""

from collections.abc import Mapping
from typing import Any

from lumbre.cli.place import shown
from lumbre.cli.session import Session


def explain_on(session: Session, explained: Mapping[str, Any]) -> None:
    """One note a fact, on standard error."""
    session.note("explain.searched", text=explained["searched"])
    session.note("explain.likely", percent=round(100 * explained["likely"]))
    for hit in explained["passages"]:
        session.note(
            "explain.passage",
            score=f"{hit['score']:.2f}",
            document=shown(hit["document"]),
            start=hit["start"],
            end=hit["end"],
        )
    for row in explained["sentences"]:
        found = session.say(f"explain.found.{row['found']}")
        session.note("explain.sentence", found=found, sentence=row["sentence"])
    session.note(f"explain.why.{explained['why']}")
