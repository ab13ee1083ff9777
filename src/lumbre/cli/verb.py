"""How commands look: found by file name, their help in the person's language."""

import difflib
import importlib
import pkgutil
import re
from keyword import iskeyword

import click

from lumbre.cli import verbs
from lumbre.cli.session import Session
from lumbre.words import Language, say, sentences

_PLACEHOLDER = re.compile(r"\b[A-Z]{2,}\b")


class NoSuchVerb(click.UsageError):
    """A word that is no command."""

    def __init__(self, verb: str, nearest: str, ctx: click.Context) -> None:
        super().__init__(verb, ctx)
        self.verb = verb
        self.nearest = nearest


def _session(ctx: click.Context) -> Session:
    found = ctx.find_object(Session)
    assert found is not None
    return found


class _Spoken(click.Command):
    """A command whose help and options are keys of words/cli.toml."""

    def get_help(self, ctx: click.Context) -> str:
        session = _session(ctx)
        say = session.say
        path = ctx.command_path
        pieces = placeholders(" ".join(self.collect_usage_pieces(ctx)), session.language)
        lines = [f"{say('cli.usage')}: {path} {pieces}".rstrip(), "", self.summary(session), ""]
        rows = [
            (placeholders(row[0], session.language), say(f"cli.{option.help}"))
            for option in self.params
            if isinstance(option, click.Option) and (row := option.get_help_record(ctx))
        ]
        if rows:
            lines += [f"{say('cli.options')}:", *_columns(rows), ""]
        lines += self.below(session)
        return "\n".join(lines).rstrip()

    def summary(self, session: Session) -> str:
        """What it is for."""
        return session.say(f"cli.{self.help}")

    def below(self, session: Session) -> list[str]:
        """Lines after the options."""
        return [session.say("cli.everywhere")]


class TooMany(click.UsageError):
    """Words that no argument takes."""

    def __init__(self, words: list[str], ctx: click.Context) -> None:
        super().__init__(" ".join(words), ctx)
        self.words = words


class Verb(_Spoken):
    """One thing lumbre does."""

    allow_extra_args = True  # refused below, in our words

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        super().parse_args(ctx, args)
        if ctx.args:
            raise TooMany(ctx.args, ctx)
        return ctx.args

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        pieces = super().collect_usage_pieces(ctx)
        has_options = any(isinstance(p, click.Option) and p.help for p in self.params)
        mark = [f"[{_session(ctx).say('cli.options_mark')}]"] if has_options else []
        return mark + pieces[1:]


class Group(_Spoken, click.Group):
    """Several verbs about one thing; with no verb, its help."""

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [_session(ctx).say("cli.verb"), "..."]

    def below(self, session: Session) -> list[str]:
        rows = [
            (name, session.say(f"cli.{command.help}")) for name, command in self.commands.items()
        ]
        return [f"{session.say('cli.verbs')}:", *_columns(rows), "", *super().below(session)]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            raise NoSuchVerb(args[0], _nearest(args[0], self.list_commands(ctx)), ctx)
        return super().resolve_command(ctx, args)


class Lumbre(Group):
    """The program: every module of `cli/verbs` is a verb."""

    help = "lumbre"

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(found.name.rstrip("_") for found in pkgutil.iter_modules(verbs.__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        ending = "_" if iskeyword(cmd_name) else ""
        module = importlib.import_module(f"lumbre.cli.verbs.{cmd_name}{ending}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def summary(self, session: Session) -> str:
        return session.say("cli.lumbre")

    def below(self, session: Session) -> list[str]:
        names = self.list_commands(click.Context(self))
        rows = [(name, session.say(f"cli.{name}.help")) for name in names]
        return [
            f"{session.say('cli.verbs')}:",
            *_columns(rows),
            "",
            session.say("cli.everywhere"),
        ]


def placeholders(text: str, language: Language) -> str:
    """`[FOLDER]` as the person would write it."""
    return _PLACEHOLDER.sub(lambda found: _placeholder(found[0], language), text)


def _placeholder(word: str, language: Language) -> str:
    key = f"placeholder.{word.lower()}"
    return say(f"cli.{key}", language) if key in sentences("cli") else word


def _columns(rows: list[tuple[str, str]]) -> list[str]:
    width = max(len(left) for left, _ in rows) + 2
    return [f"  {left:<{width}}{right}".rstrip() for left, right in rows]


def _nearest(word: str, known: list[str]) -> str:
    return (difflib.get_close_matches(word, known, 1, 0.4) or [""])[0]
