"""Turn a stream of an answer's pieces into text to show and sentences to check.

The model's own [n] and [?] are taken out. White space after a sentence is kept back until
the next one begins, so that a checked mark can be put right after the sentence.
"""

import re
from dataclasses import dataclass

from lumbre.knowledge.sentences import sentences

_MARK = re.compile(r"[ \t]*\[\s*(?:\?|\d{1,3}(?:\s*[,;–-]\s*\d{1,3})*)\s*\]")
_MAY_BECOME_MARK = re.compile(r"\s+$|[ \t]*(?:\[[\s\d,;?–-]{0,16})+$")


@dataclass(frozen=True, slots=True)
class Show:
    """Text for the person."""

    text: str


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence that is complete; all of it has been shown, nothing after it has."""

    sentence: str


class Utterance:
    """One answer as it comes."""

    def __init__(self, *, whole: bool = False) -> None:
        """`whole`: sentences are shown when they are complete, not as they come."""
        self._whole = whole
        self._coming = ""
        """Not yet looked through for marks."""
        self._open = ""
        """Of the current sentence and the white space around it."""
        self._begun = False
        self._shown = 0
        """How much of `_open` has been shown."""
        self.marks_removed = 0

    def feed(self, text: str) -> list[Show | Said]:
        """What may be shown, and which sentences are complete, in order."""
        self._coming = self._without_marks(self._coming + text)
        held = _MAY_BECOME_MARK.search(self._coming)
        ready = self._coming[: held.start()] if held else self._coming
        self._coming = self._coming[len(ready) :]
        self._open += ready if self._begun else ready.lstrip()
        self._begun = self._begun or bool(self._open)
        steps: list[Show | Said] = []
        while len(spans := sentences(self._open)) > 1:
            first = spans[0]
            steps += self._show(first.end)
            steps.append(Said(self._open[first.start : first.end]))
            self._open = self._open[first.end :]
            self._shown = max(0, self._shown - first.end)
        # what follows the last word may be the beginning of a list mark or a rule
        return steps + (self._show(spans[-1].end) if spans and not self._whole else [])

    def finish(self) -> list[Show | Said]:
        """The last sentence."""
        rest = self._without_marks(self._coming)
        self._open = (self._open + (rest if self._begun else rest.lstrip())).rstrip()
        self._coming = ""
        steps = self._show(len(self._open))
        last = self._open.strip()
        self._open, self._shown = "", 0
        return [*steps, Said(last)] if last else steps

    def _without_marks(self, text: str) -> str:
        count = 1
        while count:  # what is left of "[[1]2]" is one again
            text, count = _MARK.subn("", text)
            self.marks_removed += count
        return text

    def _show(self, until: int) -> list[Show | Said]:
        text = self._open[self._shown : until]
        self._shown = max(self._shown, until)
        return [Show(text)] if text else []
