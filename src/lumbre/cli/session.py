"""What every command starts from: the configuration, the language, the terminal."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lumbre.cli.render import beside, visible
from lumbre.config import Config, Folders, Settings, load
from lumbre.core.errors import BadArguments, LumbreError
from lumbre.words import LANGUAGES, Language, Sentence, language_of, say

if TYPE_CHECKING:
    from lumbre.cli.client import Client

_VALUED = ("--lang", "--set")
_PLAIN = ("--no-daemon",)


@dataclass(frozen=True, slots=True)
class Flags:
    """Options that every verb takes, wherever they stand on the line."""

    lang: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    no_daemon: bool = False


def split_globals(arguments: Sequence[str]) -> tuple[list[str], Flags]:
    """Take the options every verb has out of a command line.

    Raises:
        BadArguments: one lacks its value.
    """
    rest: list[str] = []
    lang, settings, no_daemon = "", {}, False
    words = iter(arguments)
    for word in words:
        name, glued, value = word.partition("=")
        if word == "--":
            rest += [word, *words]
        elif word in _PLAIN:
            no_daemon = True
        elif name in _VALUED:
            value = value if glued else next(words, "")
            if name == "--lang":
                lang = value
            key, _, setting = value.partition("=")
            if (name == "--lang" and value not in LANGUAGES) or (name == "--set" and not setting):
                raise BadArguments(reason=Sentence(f"cli.form.{name[2:]}"))
            if name == "--set":
                settings[key] = setting
        else:
            rest.append(word)
    return rest, Flags(lang, settings, no_daemon)


class Session:
    """One run of the command line. The only place that reads the environment.

    A `tolerant` one takes the defaults for settings that cannot be used, and keeps the
    error as its `trouble`; else that is raised.
    """

    def __init__(
        self, environment: Mapping[str, str], flags: Flags, *, tolerant: bool = False
    ) -> None:
        self.flags = flags
        self.environment = environment
        self.trouble: LumbreError | None = None
        try:
            self.config: Config = load(environment, flags.settings)
        except LumbreError as error:
            if not tolerant:
                raise
            self.trouble = error
            self.config = Config(Settings(), Folders.of(environment))
        configured = self.config.settings.interface.language
        wishes = [environment.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG")]
        self.language: Language = language_of(flags.lang, configured, *wishes)
        self._own: Client | None = None

    def say(self, key: str, /, **facts: object) -> str:
        """A sentence in this person's language."""
        return say(key, self.language, **facts)

    def print(self, key: str, /, **facts: object) -> None:
        """A sentence on standard output."""
        print(visible(self.say(key, **facts)), flush=True)

    def note(self, key: str, /, **facts: object) -> None:
        """A sentence beside the output: on standard error."""
        beside(self.say(key, **facts))

    def complain(self, error: LumbreError) -> None:
        """What went wrong and what to do, on standard error."""
        self.note("cli.error", message=error.message(self.language))
        self.note("cli.hint", hint=error.hint(self.language))

    def prepare(self) -> None:
        """The folders, and on first use the starter household."""
        registry = self.config.folders.registry
        if not registry.exists():
            from lumbre.registry.household import begin_household

            begin_household(registry, "starter")
        self.config.folders.make()

    @contextmanager
    def household(self) -> Iterator["Client"]:
        """The household: the one in the background, or one inside this command."""
        from lumbre.cli.attach import attach
        from lumbre.cli.client import Address, Client

        if not self.flags.no_daemon:
            yield attach(self)
        elif self._own is not None:
            yield self._own
        else:
            self.prepare()
            from lumbre.server.daemon import within

            with within(self.config) as socket:
                log = self.config.folders.household_log
                self._own = Client(Address(socket, os.getpid(), log))
                yield self._own
                self._own = None
