"""`lumbre ask`: one question, one answer with its citations."""

import json
from contextlib import closing

import click

from lumbre.cli.session import Session
from lumbre.cli.verb import Verb
from lumbre.core.errors import BadArguments


@click.command("ask", cls=Verb, help="ask.help")
@click.argument("question")
@click.option("--docs", "docs", multiple=True, metavar="PATH", help="under")
@click.option("--model", metavar="ID", help="model")
@click.option("--json", "as_json", is_flag=True, help="json")
@click.pass_obj
def command(
    session: Session, question: str, docs: tuple[str, ...], model: str | None, as_json: bool
) -> None:
    from lumbre.cli.answer import ask, show

    if not question.strip():
        raise BadArguments(reason=session.say("cli.empty_question"))
    with session.household() as client:
        events = ask(session, client, question, docs=docs, model=model)
        if not as_json:
            show(session, events)
            return
        with closing(events):  # type: ignore[type-var]
            *_, last = events
        print(json.dumps(last["answer"], ensure_ascii=False, indent=2))
