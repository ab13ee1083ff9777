"""An answer as scripts read it: the contract of `lumbre ask --json`."""

from dataclasses import asdict
from typing import Any

from lumbre.core.document import Answer, Explained

_TIMING = ("load_s", "retrieve_s", "first_token_s", "generate_s", "total_s")


def reply(told: Answer, *, peak_bytes: int, explain: bool) -> dict[str, Any]:
    """Every key of the contract; with `explain`, also why the answer is what it is."""
    answer: dict[str, Any] = {
        "answer": told.text,
        "answered": told.answered,
        "origin": told.origin,
        "language": told.language,
        "citations": [asdict(citation) for citation in told.citations],
        "unsupported": list(told.unsupported),
        "removed_citations": told.removed_citations,
        "extractive": [asdict(citation) for citation in told.extractive],
        "model": told.model,
        "template": told.template,
        "prompt": asdict(told.ledger),
        "timing": {name: round(told.timing.get(name, 0.0), 3) for name in _TIMING},
        "memory": {"peak_bytes": peak_bytes},
    }
    if explain and told.explained:
        answer["explained"] = _explained(told.explained)
    return answer


def _explained(explained: Explained) -> dict[str, Any]:
    return {
        "searched": explained.searched,
        "likely": round(explained.likely, 3),
        "passages": [asdict(hit) for hit in explained.passages],
        "sentences": [
            {"sentence": sentence, "found": found} for sentence, found in explained.sentences
        ],
        "why": explained.why,
    }
