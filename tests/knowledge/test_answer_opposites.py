"""Nothing that its document does not say is shown as if it did: not turned round, not unmarked."""

from pathlib import Path

import pytest

from lumbre.knowledge.index import Index
from tests.knowledge.conftest import InProcess, Recites, add
from tests.knowledge.test_answer import ask

LEASE = (
    "The monthly rent is 870 euros. Pets are not allowed in the flat. A late fee of 5 percent "
    "applies after ten days. The tenant must give two months' notice. The contract begins on "
    "12 March 2024 and ends on 11 March 2027."
)


@pytest.fixture
def lease(index: Index, use: InProcess, papers: Path) -> Index:
    (papers / "lease.txt").write_text(LEASE)
    assert [document.status for document in add(index, use, papers)] == ["indexed"]
    return index


@pytest.mark.parametrize(
    ("question", "wrong", "right"),
    [
        ("Are pets allowed?", "Yes, pets are allowed in the flat.", "not allowed"),
        ("How much is the rent?", "The monthly rent is 870 dollars.", "870 euros"),
        ("How much is the late fee?", "The late fee is 10 percent.", "5 percent"),
        ("How much is the late fee?", "The late fee is 5 euros.", "5 percent"),
        ("How much notice must be given?", "The tenant must give one month's notice.", "two"),
        ("When does the contract end?", "It ends on 12 March 2027.", "11 March 2027"),
    ],
)
def test_it_is_told_in_the_documents_words(
    lease: Index, use: InProcess, question: str, wrong: str, right: str
) -> None:
    _, told = ask(lease, Recites(use, wrong), question)
    assert wrong.rstrip(".") not in told.text
    assert told.origin == "extractive"
    assert right in told.text


def test_what_it_says_is_shown_in_other_words(lease: Index, use: InProcess) -> None:
    for question, right in (
        ("Are pets allowed?", "No, pets are not allowed in the flat."),
        ("When does the contract end?", "The contract ends on 11/03/2027."),
        ("How much is the late fee?", "The late fee is 5 % after 10 days."),
    ):
        _, told = ask(lease, Recites(use, right), question)
        assert (told.origin, told.unsupported) == ("generated", ())


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("The rent is 870 euros. Garage: 999.", "The rent is 870 euros. [1] Garage: 999. [?]"),
        ("The rent is 870 euros. Yes.", "The rent is 870 euros. [1]"),
        ("The rent is 870 euros [?]. Yes. The documents do not say more.", None),
        ("Yes, exactly. The rent is 870 euros.", "Yes, exactly. The rent is 870 euros. [1]"),
    ],
)
def test_every_sentence_has_its_mark(
    lease: Index, use: InProcess, said: str, shown: str | None
) -> None:
    _, told = ask(lease, Recites(use, said), "How much is the rent?")
    assert told.text == (shown or "The rent is 870 euros. [1]")
    assert told.text.count("[?]") == len(told.unsupported)


@pytest.mark.parametrize("lead", ["9999 euros.", "Anna Smith.", "The painter Anna."])
def test_what_is_said_before_a_true_sentence_is_checked_too(
    lease: Index, use: InProcess, lead: str
) -> None:
    _, told = ask(lease, Recites(use, f"{lead} The rent is 870 euros."), "How much is the rent?")
    assert lead not in told.text or f"{lead} [?]" in told.text
