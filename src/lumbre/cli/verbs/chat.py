"""`lumbre chat`: talk, with your documents at hand."""

import sys

import click

from lumbre.cli.session import Session
from lumbre.cli.verb import Verb

FAREWELLS = ("salir", "exit", "выход", "quit")


@click.command("chat", cls=Verb, help="chat.help")
@click.option("--model", metavar="ID", help="model")
@click.option("--docs", "docs", multiple=True, metavar="PATH", help="under")
@click.option("--continue", "go_on", is_flag=True, help="chat.continue")
@click.pass_obj
def command(session: Session, model: str | None, docs: tuple[str, ...], go_on: bool) -> None:
    from lumbre.cli.answer import ask, show
    from lumbre.cli.render import Moving

    conversation: str | int = "last" if go_on else "new"
    with session.household() as client:
        with Moving() as moving:
            for event in client.stream("/lumbre/open", {"models": [model] if model else []}):
                if event["event"] == "phase":
                    moving.show(session.say("ask.loading", model=event["model"]))
        session.note("cli.chat.welcome", model=model or client.get("/lumbre/ps")["primary"])
        while (said := _read()) is not None:
            if not said:
                continue
            if said.lower() in FAREWELLS:
                break
            heard: dict[str, object] = {}
            try:
                events = ask(
                    session, client, said, docs=docs, model=model, conversation=conversation
                )
                first = next(events)
                conversation = first["id"]
                show(session, events)
            except KeyboardInterrupt:
                session.note("cli.chat.stopped")
            del heard
        session.note("cli.chat.bye")


def _read() -> str | None:
    """What the person says next; None at the end. ctrl-C clears the line."""
    while True:
        try:
            prompt = "› " if sys.stdin.isatty() else ""
            return input(prompt).strip()
        except EOFError:
            return None
        except KeyboardInterrupt:
            print(file=sys.stderr)
