"""Read a file of questions, one JSON object a line, before the first of them is asked."""

import json
import sys
from pathlib import Path

from lumbre.cli.session import Session
from lumbre.core.errors import BadArguments
from lumbre.core.text import is_text


def read(session: Session, path: str) -> list[dict[str, object]]:
    """Every {"id", "text"} of a file, or of standard input for "-". Empty lines are none.

    Raises:
        BadArguments: a line is something else; it is named.
        OSError: the file cannot be read.
    """
    data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    found = []
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        query = _query(line)
        if query is None:
            raise BadArguments(reason=session.say("cli.docs.bad_query", line=number, file=path))
        found.append(query)
    return found


def _query(line: bytes) -> dict[str, object] | None:
    try:
        query = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(query, dict) or not isinstance(query.get("id"), str | int):
        return None
    text = query.get("text")
    if not isinstance(text, str) or not text.strip() or not is_text(text):
        return None
    return {"id": query["id"], "text": text}
