"""Put the passages that were found before a model, without the orders hidden in them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lumbre.core.document import Hit, LeftOut
from lumbre.core.messages import Message
from lumbre.knowledge.orders import is_order, without_orders
from lumbre.prompting.ledger import Fitted
from lumbre.prompting.prompt import Passage, Prompt
from lumbre.prompting.template import Template, template
from lumbre.words import LANGUAGES, Language, say

_CHARACTERS_A_TOKEN = 4
"""Of what was never sent to the model's tokenizer: near enough to say how much is gone."""

_NAMELESS = "document"
"""What a model is told in place of a file's name that gives orders."""
_LONGEST_KIND = 5
_BETWEEN_WORDS = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Shown:
    """What a model is to see of the documents."""

    passages: tuple[Passage, ...]
    orders: tuple[tuple[str, str], ...]
    """(document, sentence) that were taken out, for they speak to the model."""

    @property
    def template(self) -> Template:
        """How it is put: as a question about documents, or as a talk."""
        return template("documents" if self.passages else "conversation")

    @property
    def refusals(self) -> list[str]:
        """Every known way, in every language, to say that the answer is not there."""
        if not self.passages:
            return []
        return [phrase for known in LANGUAGES for phrase in self.template.lists[known]["refusals"]]

    def prompt(self, language: Language, question: str, history: Sequence[Message]) -> Prompt:
        """The prompt with all of it."""
        return Prompt(
            template=self.template,
            language=language,
            question=question,
            history=tuple(history),
            passages=self.passages,
        )

    def named(self, fitted: Fitted, language: Language) -> Fitted:
        """The account of a prompt with what was taken out before it was counted."""
        gone = tuple(
            LeftOut(
                say("answer.left_out.order", language, document=document, sentence=sentence),
                len(sentence) // _CHARACTERS_A_TOKEN + 1,
                say("answer.left_out.order_why", language),
            )
            for document, sentence in self.orders
        )
        ledger = replace(fitted.ledger, left_out=gone + fitted.ledger.left_out)
        return replace(fitted, ledger=ledger)


def shown(hits: Sequence[Hit]) -> Shown:
    """These passages as a model sees them, best first."""
    passages: list[Passage] = []
    orders: dict[tuple[str, str], None] = {}
    for hit in hits:
        name = Path(hit.document).name
        text, gone = without_orders(hit.text)
        if is_order(_BETWEEN_WORDS.sub(" ", Path(name).stem)):
            gone = (*gone, name)
            passages.append(Passage(_NAMELESS + Path(name).suffix[:_LONGEST_KIND], hit.page, text))
        else:
            passages.append(Passage(name, hit.page, text))
        orders |= dict.fromkeys((name, sentence) for sentence in gone)
    return Shown(tuple(passages), tuple(orders))
