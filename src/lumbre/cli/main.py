"""`lumbre`: find the verb, run it, and turn whatever went wrong into one line and a hint.

A new command is one new file in `cli/verbs/`, found by name; its line in `--help` and the
help of its options are sentences of `words/cli.toml`. Nothing heavy is imported here.
"""

import io
import itertools
import os
import sys
from collections.abc import Sequence

import click

from lumbre.cli import verb
from lumbre.cli.render import as_json, beside
from lumbre.cli.session import Session, split_globals
from lumbre.core.errors import (
    BadArguments,
    CapacityError,
    DoesNotFit,
    EngineError,
    HomeNotUsable,
    LumbreError,
    NoSourceDelivered,
    SourceFailed,
    StoreDamaged,
    UsageError,
)
from lumbre.version import VERSION
from lumbre.words import Language, language_of, say

EXIT_CODES: dict[type[LumbreError], int] = {
    DoesNotFit: 3,
    SourceFailed: 1,
    NoSourceDelivered: 1,
    StoreDamaged: 1,
    HomeNotUsable: 1,
    CapacityError: 1,
    EngineError: 4,
    UsageError: 2,
}
"""0 done, 2 usage, 3 does not fit, 4 an engine failed, 130 interrupted, 1 anything else.
The first class an error is an instance of decides."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    try:
        _mend_streams()
        return _run(list(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:  # before anything was understood, or while it was told
        return 130


def _run(given: list[str]) -> int:
    language, in_json, rest = _language(given), "--json" in given, list[str]()
    try:
        rest, flags = split_globals(given)
        if rest == ["--version"]:
            print(f"lumbre {VERSION}")
            return 0
        session = Session(os.environ, flags, tolerant=rest[:1] == ["doctor"])
        language = session.language
        outcome = verb.Lumbre(name="lumbre").main(
            args=rest, prog_name="lumbre", standalone_mode=False, obj=session
        )
        sys.stdout.flush()
        return outcome if isinstance(outcome, int) else 0
    except BadArguments as error:
        return _fail(error, language, in_json, hint=_help_of(rest))
    except LumbreError as error:
        return _fail(error, language, in_json)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.ctx.get_help() if error.ctx else "")
        return 0
    except click.UsageError as error:
        said = _arguments(error, language, rest)
        return _fail(said, language, in_json, hint=_help_of(rest))
    except (KeyboardInterrupt, click.Abort):
        print("", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return _output_gone()
    except OSError as error:
        return _fail(BadArguments(reason=_refused(error, language)), language, in_json, 1)


def exit_code(error: LumbreError) -> int:
    """The status a command ends with."""
    return next(code for kind, code in EXIT_CODES.items() if isinstance(error, kind))


def _fail(
    error: LumbreError,
    language: Language,
    in_json: bool,
    code: int | None = None,
    hint: str = "",
) -> int:
    message, hint = error.message(language), hint or error.hint(language)
    if in_json:
        told = {"code": error.code, "message": message, "hint": hint}
        print(as_json({"error": told}, indent=None), file=sys.stderr)
    else:
        beside(say("cli.error", language, message=message))
        beside(say("cli.hint", language, hint=hint))
    return exit_code(error) if code is None else code


def _meant(rest: Sequence[str]) -> tuple[list[str], click.Command]:
    """The command that the first words name, as far as they name one."""
    path: list[str] = []
    command: click.Command = verb.Lumbre(name="lumbre")
    for word in rest:
        found = None
        if isinstance(command, click.Group):
            found = command.get_command(click.Context(command), word)
        if found is None:
            break
        path, command = [*path, word], found
    return path, command


def _help_of(rest: Sequence[str]) -> str:
    """The command that shows how the one that was typed is used."""
    path, _ = _meant(rest)
    return _SHOWS.get(" ".join(path)) or " ".join(["lumbre", *path, "--help"])


_SHOWS = {
    "engines install": "lumbre engines list",
    "engines remove": "lumbre engines list",
}
"""Commands whose words are to be found elsewhere than in their help."""


def _arguments(error: click.UsageError, language: Language, rest: Sequence[str]) -> BadArguments:
    """click's own complaint, in our words."""
    match error:
        case click.NoSuchOption():
            reason = say("cli.no_such_option", language, option=error.option_name)
        case click.MissingParameter():
            reason = say("cli.missing", language, name=_called(error, language))
        case click.BadParameter():
            name = _called(error, language)
            reason = say("cli.bad_value", language, name=name, reason=_expected(error, language))
        case verb.TooMany():
            reason = say("cli.too_many", language, words=" ".join(error.words))
        case click.BadOptionUsage():
            reason = _option(error.option_name, language, _meant(rest)[1])
        case verb.NoSuchVerb():
            key = "no_such_verb" if error.nearest else "nothing_like_it"
            reason = say(f"cli.{key}", language, verb=error.verb, nearest=error.nearest)
        case _:
            reason = error.format_message()
    return BadArguments(reason=reason)


def _called(error: click.BadParameter, language: Language) -> str:
    """An option as it is typed, an argument as the help has it."""
    if isinstance(error.param, click.Argument) and error.ctx is not None:
        return verb.placeholders(error.param.make_metavar(error.ctx), language)
    return error.param.opts[0] if error.param else "?"


def _option(name: str, language: Language, command: click.Command) -> str:
    """A value is missing, or there is one where none is taken."""
    for param in command.params:
        if name in param.opts and isinstance(param, click.Option) and not param.is_flag:
            metavar = param.make_metavar(click.Context(command))
            option = f"{name} {verb.placeholders(metavar, language)}"
            return say("cli.needs_value", language, option=option)
    return say("cli.takes_no_value", language, option=name)


def _expected(error: click.BadParameter, language: Language) -> str:
    """What the option takes."""
    kind = error.param.type if error.param else None
    if isinstance(kind, click.Choice):
        return say("cli.one_of", language, choices=" | ".join(map(str, kind.choices)))
    if isinstance(kind, click.IntRange):
        return say("cli.whole_number", language, least=kind.min, most=kind.max)
    return error.message


def _language(given: Sequence[str]) -> Language:
    """The best guess before anything was understood: for errors in the command line itself."""
    wish = next((b for a, b in itertools.pairwise(given) if a == "--lang"), None)
    return language_of(wish, *(os.environ.get(n) for n in ("LC_ALL", "LC_MESSAGES", "LANG")))


def _refused(error: OSError, language: Language) -> str:
    """What the system would not do, and with which file."""
    reason = error.strerror or str(error)
    if error.filename is not None:
        name = error.filename
        return f"{os.fsdecode(name) if isinstance(name, bytes) else name}: {reason}"
    try:
        os.getcwd()  # noqa: PTH109
    except FileNotFoundError:
        return say("cli.here_is_gone", language, path=os.environ.get("PWD", "."))
    return reason


def _mend_streams() -> None:
    """Have three streams that take any text, whatever the shell left of them.

    A closed one becomes /dev/null before a file of ours could get its number. What an
    encoding cannot write is written as escapes; what was typed amiss is read as U+FFFD.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: PTH123, SIM115
            setattr(sys, name, stream)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace" if name == "stdin" else "backslashreplace")


def _output_gone() -> int:
    """Whoever read our output has left; that is their right, and no reason for a traceback."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


if __name__ == "__main__":
    sys.exit(main())
