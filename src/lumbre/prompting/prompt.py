"""A prompt in its parts, in the order in which they change least.

Rules, memory, history, then this turn's documents and question: what an engine has read
before stands first, so it need not read it again.
"""

import re
from dataclasses import dataclass

from lumbre.core.messages import Message
from lumbre.prompting.template import Template
from lumbre.words import Language

_CONTROL = re.compile(
    r"<(?=\||/?s>|/?SYS>|<SYS>|/?think>|(?:start|end)_of_turn>|\uff5c|"
    r"/?(?:bos|eos|pad|unk|repo_?name|file(?:_sep|name)|gh_stars|empty_output|"
    r"(?:issue|jupyter|tool)_[a-z]+)>)|"
    r"\[(?=/?INST\])|(?<=\|)>|<<(?=<)|>>(?=>)"
)
"""Where a chat template's own marks begin, and the border of a passage here.

Source: llama.cpp tokenizes a rendered prompt with its special tokens, whoever wrote them.
"""


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document, as it is shown to the model."""

    document: str
    """Its name, not its path."""
    page: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is to be asked."""

    template: Template
    language: Language
    question: str
    passages: tuple[Passage, ...] = ()
    history: tuple[Message, ...] = ()
    memory: str = ""

    def messages(self) -> tuple[Message, ...]:
        """The prompt as a chat model takes it."""
        rules = [self._text("rules")]
        if self.memory:
            rules.append(self._text("memory", memory=self.memory))
        asked = [self._text("question", question=harmless(self.question))]
        if self.passages:
            asked.insert(
                0, "\n\n".join([self._text("passages"), *map(self._passage, self.passages)])
            )
        return (
            Message("system", "\n\n".join(rules)),
            *(Message(said.role, harmless(said.text)) for said in self.history),
            Message("user", "\n\n".join(asked)),
        )

    def _passage(self, passage: Passage) -> str:
        page = "" if passage.page is None else self._text("page", number=passage.page)
        name, text = harmless(passage.document), harmless(passage.text)
        return self._text("passage", document=name, page=page, text=text)

    def _text(self, name: str, **places: object) -> str:
        return self.template.text(name, self.language, **places)


def harmless(text: str) -> str:
    """The text with no mark in it that a chat template or a passage's border is made of."""
    return _CONTROL.sub(lambda mark: f"{mark.group()} ", text)
