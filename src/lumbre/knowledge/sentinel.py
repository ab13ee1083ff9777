"""Notice that a model says "it is not there" before a word of it has been shown.

The beginning of an answer is held back while it may still become one of the known ways
to say so; as soon as it cannot, all of it is let go.
"""

import re
from collections.abc import Iterable

_BETWEEN = re.compile(r"[\W_]+")


_PASSAGES = r"(?:passages?|excerpts?|documents|fragmentos?|documentos|отрывк\w+|документах)"
_NOT = r"(?:not|no|n't|ning[uú]n\w*|tampoco|нет|не)"
_DENIAL = re.compile(
    rf"\b{_NOT}\b.{{0,80}}\b{_PASSAGES}\b|\b{_PASSAGES}\b.{{0,40}}\b{_NOT}\b", re.IGNORECASE
)


def denies(sentence: str) -> bool:
    """Whether a sentence says of the passages, in any place of it, that something is not there."""
    return bool(_DENIAL.search(sentence))


class Sentinel:
    """Watches the beginning of one answer."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self._phrases = tuple(filter(None, (_bare(phrase) for phrase in phrases)))
        self._held = ""
        self._decided = False
        self.refused = False
        """Whether the model said that the answer is not there."""

    def feed(self, text: str) -> str:
        """What of the answer may be shown now. Empty while in doubt, and once refused."""
        if self.refused:
            return ""
        if self._decided:
            return text
        self._held += text
        said = _bare(self._held)
        # the last word may still grow: "no se menciona", "no se mencionan otros"
        ended = said if not self._held[-1:].isalnum() else said.rpartition(" ")[0]
        if any(_begins(ended, phrase) for phrase in self._phrases):
            self.refused = True
            return ""
        if any(phrase.startswith(said) for phrase in self._phrases):
            return ""
        self._decided = True
        return self._release()

    def finish(self) -> str:
        """What was still held when the answer ended."""
        said = _bare(self._held)
        self.refused = self.refused or any(_begins(said, phrase) for phrase in self._phrases)
        return "" if self.refused else self._release()

    def _release(self) -> str:
        held, self._held = self._held, ""
        return held


def _begins(said: str, phrase: str) -> bool:
    return said == phrase or said.startswith(phrase + " ")


def _bare(text: str) -> str:
    """Small letters and single blanks, nothing else."""
    return _BETWEEN.sub(" ", text.casefold().replace("ё", "е")).strip()
