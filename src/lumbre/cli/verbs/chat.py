"""`lumbre chat`: talk, with your documents at hand."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from lumbre.cli.session import Session
from lumbre.cli.verb import Verb
from lumbre.core.errors import LumbreError

if TYPE_CHECKING:
    from lumbre.cli.client import Client

FAREWELLS = ("salir", "exit", "выход", "quit")


@click.command("chat", cls=Verb, help="chat.help")
@click.option("--model", metavar="ID", help="model")
@click.option("--docs", "docs", multiple=True, metavar="PATH", help="under")
@click.option("--continue", "go_on", is_flag=True, help="chat.continue")
@click.option("--forget", type=click.IntRange(1), metavar="N", help="chat.forget")
@click.option("--explain", is_flag=True, help="explain")
@click.pass_obj
def command(
    session: Session,
    model: str | None,
    docs: tuple[str, ...],
    go_on: bool,
    forget: int | None,
    explain: bool,
) -> None:
    if forget is not None:
        with session.household() as client:
            client.delete("/lumbre/conversations", {"conversation": forget})
        session.print("cli.chat.forgotten", number=forget)
        return
    talk = _Talk(session, model, docs, "last" if go_on else "new", explain)
    with session.household() as first:
        talk.open(first)
        for said in _said():
            try:
                with session.household() as client:  # a new one, should the first have ended
                    talk.turn(client, said)
            except KeyboardInterrupt:
                session.note("cli.chat.stopped")
            except LumbreError as error:  # this question failed; the talk goes on
                session.complain(error)
    session.note("cli.chat.bye")
    if isinstance(talk.which, int):
        session.note("cli.chat.number", number=talk.which)


class _Talk:
    """One conversation with the household."""

    def __init__(
        self,
        session: Session,
        model: str | None,
        docs: tuple[str, ...],
        which: str | int,
        explain: bool,
    ) -> None:
        self._session = session
        self._model = model
        self._docs = docs
        self.which = which
        self._explain = explain

    def open(self, client: "Client") -> None:
        """Load what is needed before the first question, and say who is there."""
        from lumbre.cli.render import Moving

        session, names = self._session, []
        with Moving() as moving:
            wanted = [self._model, "embedding"] if self._model else []
            for event in client.stream(
                "/lumbre/open", {"models": wanted, "conversation": self.which}
            ):
                if event["event"] == "phase":
                    names.append(event["model"])
                    moving.show(session.say("ask.loading", model=event["model"]))
        session.note("cli.chat.welcome", model=names[0])

    def turn(self, client: "Client", said: str) -> None:
        """One question and its answer."""
        from lumbre.cli.answer import ask, show

        events = ask(
            self._session,
            client,
            said,
            docs=self._docs,
            model=self._model,
            conversation=self.which,
            explain=self._explain,
        )
        self.which = next(events)["id"]
        show(self._session, events, said)


def _said() -> Iterator[str]:
    """What the person says, line by line, until a farewell or the end of input."""
    if sys.stdin.isatty():
        import readline  # noqa: F401 - arrow keys and history in input()
    while True:
        try:
            said = input("› " if sys.stdin.isatty() else "").strip()
        except EOFError:
            return
        except KeyboardInterrupt:  # clears the line
            print(file=sys.stderr)
            continue
        if said.lower() in FAREWELLS:
            return
        if said:
            yield said
