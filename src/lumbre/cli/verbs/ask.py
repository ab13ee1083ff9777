"""`lumbre ask`: one question, one answer with its citations."""

from contextlib import closing

import click

from lumbre.cli.render import as_json
from lumbre.cli.session import Session
from lumbre.cli.verb import Verb, placeholders
from lumbre.core.errors import BadArguments
from lumbre.core.text import is_text


@click.command("ask", cls=Verb, help="ask.help")
@click.argument("question")
@click.option("--docs", "docs", multiple=True, metavar="PATH", help="under")
@click.option("--model", metavar="ID", help="model")
@click.option("--explain", is_flag=True, help="explain")
@click.option("--json", "in_json", is_flag=True, help="json")
@click.pass_obj
def command(
    session: Session,
    question: str,
    docs: tuple[str, ...],
    model: str | None,
    explain: bool,
    in_json: bool,
) -> None:
    from lumbre.cli.answer import ask, show

    if not question.strip():
        raise BadArguments(reason=session.say("cli.empty_question"))
    if not is_text(question):
        raise BadArguments(
            reason=session.say("cli.not_text", what=placeholders("QUESTION", session.language))
        )
    with session.household() as client:
        events = ask(session, client, question, docs=docs, model=model, explain=explain)
        if not in_json:
            show(session, events, question)
            return
        with closing(events):
            *_, last = events
        print(as_json(last["answer"]))
