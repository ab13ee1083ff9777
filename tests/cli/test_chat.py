"""A talk goes on until a farewell, survives ctrl-C and failures, and can be taken up again."""

import os
import signal
from pathlib import Path

import pytest

from lumbre.assistant.conversation import Conversations
from lumbre.cli.verbs.chat import FAREWELLS
from lumbre.core.errors import UnknownConversation
from lumbre.core.messages import Message
from lumbre.store import Store
from tests.cli.terminal import TINY, terminal
from tests.conftest import Run


@pytest.fixture
def boat(tmp_path: Path) -> Path:
    path = tmp_path / "boat.txt"
    path.write_text("The boat is called Golondrina. It was painted green in 2019.\n")
    return path


@pytest.mark.parametrize("farewell", [*FAREWELLS, "SALIR", ""])
def test_a_farewell_or_the_end_of_input_ends_it(farewell: str, lumbre: Run, smollm2: Path) -> None:
    done = lumbre("chat", text=farewell and f"{farewell}\n", **TINY)
    assert done.returncode == 0, done.stderr
    assert "Until next time" in done.stderr
    assert done.stdout == ""


def test_what_was_said_is_kept_and_can_be_continued(
    lumbre: Run, home: Path, boat: Path, smollm2: Path
) -> None:
    lumbre("docs", "add", str(boat))
    first = lumbre("chat", text="What is the boat called?\nAnd the colour?\n", **TINY)
    assert first.returncode == 0, first.stderr
    assert first.stdout.strip()
    again = lumbre("chat", "--continue", text="Thanks.\nexit\n", **TINY)
    assert again.returncode == 0, again.stderr
    lumbre("stop")
    store = Store(home / "lumbre.db")
    talks = Conversations(store)
    said = [turn.text for turn in talks.get(talks.last()).turns if turn.role == "user"]
    store.close()
    assert said == ["What is the boat called?", "And the colour?", "Thanks."]


def test_a_conversation_can_be_forgotten_by_the_number_it_was_told_with(
    lumbre: Run, home: Path, smollm2: Path
) -> None:
    talked = lumbre("chat", text="My name is Quetzalina.\n", LANG="es_ES.UTF-8", **TINY)
    assert "`lumbre chat --forget 1` borra esta conversación." in talked.stderr
    lumbre("stop")
    states = home / "states"
    assert {path.name.split("-")[0] for path in states.iterdir()} == {"1"}
    done = lumbre("chat", "--forget", "1")
    assert (done.returncode, done.stdout) == (0, "Conversation 1 is deleted.\n")
    assert list(states.iterdir()) == []
    again = lumbre("chat", "--forget", "1")
    assert again.returncode == 2
    assert "no such conversation" in again.stderr
    lumbre("stop")
    kept = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert b"Quetzalina" not in kept


def test_there_must_be_something_to_continue(lumbre: Run, smollm2: Path) -> None:
    done = lumbre("chat", "--continue", text="Hello\n", **TINY)
    assert done.returncode == 2
    assert "no such conversation" in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_stops_an_answer_and_not_the_program(home: Path, lumbre: Run, smollm2: Path) -> None:
    with terminal(home, "chat", LUMBRE_ANSWERS__MAX_OUTPUT_TOKENS="900", LANG="es_ES.UTF-8") as t:
        t.wait_for("› ")
        t.type("Write a very long story about the sea.\n")
        t.wait_for("sea.\r\n")
        t.wait_for(" ")
        os.kill(t.process.pid, signal.SIGINT)
        t.wait_for("(detenido)")
        t.wait_for("› ")
        t.type("\x04")
        t.wait_for("Hasta pronto")
        assert t.process.wait(30) == 0


def test_ctrl_c_at_the_prompt_clears_the_line(home: Path, lumbre: Run, smollm2: Path) -> None:
    with terminal(home, "chat") as t:
        t.wait_for("› ")
        t.type("half a thou")
        t.wait_for("thou")
        t.interrupt_until("› ")
        t.type("exit\n")
        t.wait_for("Until next time")
        assert t.process.wait(30) == 0


def test_a_question_that_fails_does_not_end_the_talk(lumbre: Run, smollm2: Path) -> None:
    """A question longer than the window is refused with its count; the next one is answered."""
    long = "word " * 3000
    done = lumbre(
        "chat", text=f"{long}\nHello!\nexit\n", LUMBRE_LLM__PRIMARY__CONTEXT_LENGTH="512", **TINY
    )
    assert done.returncode == 0
    assert "tokens" in done.stderr
    assert "hint:" in done.stderr
    assert done.stdout.strip()


def test_turns_land_together(tmp_path: Path) -> None:
    store = Store(tmp_path / "lumbre.db")
    talks = Conversations(store)
    with pytest.raises(UnknownConversation):
        talks.last()
    first, second = talks.begin(), talks.begin()
    talks.add(first, Message("user", "a"), Message("assistant", "b"))
    assert talks.last() == first
    talks.add(second, Message("user", "c"))
    assert (talks.last(), talks.get(first).turns[1].text) == (second, "b")
    with pytest.raises(UnknownConversation):
        talks.get(99)
    store.close()
