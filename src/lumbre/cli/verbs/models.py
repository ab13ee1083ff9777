"""`lumbre models`: the household's models, their weights, and which one is the face."""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lumbre.cli.fitting import fitting, terminal_width
from lumbre.cli.known_models import known_names, show_known
from lumbre.cli.place import absolute
from lumbre.cli.pulling import is_device, on_device, pull_all
from lumbre.cli.render import Moving, as_json, bar, table, visible
from lumbre.cli.session import Session
from lumbre.cli.verb import Group, Verb
from lumbre.core.errors import BadArguments, CannotDo, LumbreError, StillChosen
from lumbre.core.fields import fields_of
from lumbre.core.model import ROLES, Manifest, Role
from lumbre.words import size

if TYPE_CHECKING:
    from lumbre.registry.folder import Registry
    from lumbre.registry.weights import Weights


def _open(session: Session) -> "tuple[Registry, Weights]":
    from lumbre.registry.folder import Registry
    from lumbre.registry.weights import Weights
    from lumbre.store import Store

    session.prepare()
    folders = session.config.folders
    return Registry(folders.registry), Weights(folders.weights, Store(folders.database))


@click.group("models", cls=Group, help="models.help")
def command() -> None:
    pass


@command.command("list", cls=Verb, help="models.list")
@click.option("--known", is_flag=True, help="models.known")
@click.option("--json", "in_json", is_flag=True, help="json")
@click.pass_obj
def list_(session: Session, known: bool, in_json: bool) -> None:
    if known:
        show_known(session, in_json=in_json)
        return
    registry, weights = _open(session)
    for error in registry.broken():
        session.complain(error)
    try:
        models = registry.in_effect(_chosen(session))
    except LumbreError as error:  # the configured primary is gone: the list shows what there is
        session.complain(error)
        models = registry.usable()
    if in_json:
        told = [_told(manifest, weights) for manifest in models]
        print(as_json(told))
        return
    rows = [
        (
            manifest.id,
            manifest.role,
            manifest.quant or "",
            size(_bytes(manifest, weights), session.language),
            _state(session, manifest, weights),
        )
        for manifest in models
    ]
    heads = session.say("cli.models.columns").split("|")
    print(fitting(heads, rows, droppable=(2, 1), width=terminal_width()))


@command.command("show", cls=Verb, help="models.show")
@click.argument("model", metavar="ID", required=False)
@click.option("--schema", is_flag=True, help="models.schema")
@click.option("--json", "in_json", is_flag=True, help="json")
@click.pass_obj
def show(session: Session, model: str | None, schema: bool, in_json: bool) -> None:
    from lumbre.registry.manifest import dump_manifest

    if schema:
        rows = [(field.name, field.kind, field.text) for field in fields_of(Manifest)]
        print(table(session.say("cli.models.fields").split("|"), rows))
        return
    registry, weights = _open(session)
    wanted = _meant(session, registry, model or "primary")
    for manifest in wanted:
        if in_json:
            print(as_json(_told(manifest, weights)))
        else:
            print(visible(dump_manifest(manifest)), end="")
            state = _state(session, manifest, weights)
            print(visible(f"# {state}: {_place(manifest, weights)}"))


@command.command("pull", cls=Verb, help="models.pull")
@click.argument("what", metavar="[ID|ROLE|CAPABILITY|DEVICE|all]", default="all")
@click.option("--yes", is_flag=True, help="yes")
@click.pass_obj
def pull(session: Session, what: str, yes: bool) -> int:
    registry, weights = _open(session)
    if is_device(what) and what not in [model.id for model in registry.usable()]:
        models = [registry.get(model_id) for model_id in on_device(session, what)]
    else:
        models = _meant(session, registry, what)
    return pull_all(session, weights, models, sure=yes)


@command.command("verify", cls=Verb, help="models.verify")
@click.argument("what", metavar="[ID|ROLE|CAPABILITY|all]", default="all")
@click.pass_obj
def verify(session: Session, what: str) -> int:
    from lumbre.cli.main import exit_code

    registry, weights = _open(session)
    outcome = 0
    for manifest in _meant(session, registry, what):
        if what == "all" and weights.state(manifest) == "absent":
            state = _state(session, manifest, weights)
            session.print("cli.models.row", model=manifest.id, state=state)
            continue
        try:
            with Moving() as moving:
                weights.verify(
                    manifest,
                    lambda step: moving.show(
                        f"{manifest.id} {bar(step.done_bytes / max(1, step.total_bytes))}"  # noqa: B023
                    ),
                    afresh=True,
                )
            session.print(
                "cli.models.row", model=manifest.id, state=session.say("cli.models.verified")
            )
        except LumbreError as error:
            session.complain(error)
            outcome = exit_code(error)
    return outcome


@command.command("remove", cls=Verb, help="models.remove")
@click.argument("model", metavar="ID")
@click.pass_obj
def remove(session: Session, model: str) -> None:
    registry, weights = _open(session)
    manifest = registry.get(model)
    if manifest.id == _chosen(session):
        raise StillChosen(model=manifest.id)
    for path in weights.remove(manifest, registry.usable()):
        session.print("cli.models.removed", path=path)
    if not weights.is_ours(manifest, manifest.weights[0]):
        path = registry.path_of(manifest.id)
        path.unlink()
        key = "removed" if weights.gone(manifest) else "forgotten"
        session.print(f"cli.models.{key}", path=path)


@command.command("add", cls=Verb, help="models.add")
@click.argument("what", metavar="FILE.gguf|hf:...|ollama:...")
@click.option("--role", type=click.Choice(ROLES), metavar="ROLE", help="models.role")
@click.option("--id", "name", metavar="ID", default=None, help="models.id")
@click.option("--projector", metavar="FILE|hf:...", default=None, help="models.projector")
@click.pass_obj
def add(
    session: Session, what: str, role: str | None, name: str | None, projector: str | None
) -> None:
    from lumbre.cli.adding_models import add_from_publisher
    from lumbre.registry.offered import address_of

    registry, weights = _open(session)
    wanted = next((known for known in ROLES if known == role), None)
    uri, eyes = address_of(what), projector and address_of(projector)
    if projector and bool(uri) != bool(eyes):
        raise BadArguments(reason=session.say("models.mixed"))
    if uri is None and what.startswith(("http://", "https://")):
        raise BadArguments(reason=session.say("models.other_page", address=what))
    if uri is not None:
        add_from_publisher(session, registry, uri, wanted, model_id=name, projector=eyes or None)
    else:
        _add_file(session, weights, what, wanted, name, projector)


def _add_file(
    session: Session,
    weights: "Weights",
    file: str,
    role: Role | None,
    name: str | None,
    projector: str | None,
) -> None:
    from lumbre.registry.add import manifest_from_file, write

    for named in (file, projector):
        if named is not None and Path(named).is_dir():
            reason = session.say("models.folder", path=named, quoted=shlex.quote(named))
            raise BadArguments(reason=reason)
        if named is not None and not Path(named).is_file():
            raise BadArguments(reason=session.say("cli.models.no_file", path=named))
    with Moving() as moving:
        manifest = manifest_from_file(
            Path(absolute(file)),
            role,
            model_id=name,
            projector=None if projector is None else Path(absolute(projector)),
            report=lambda step: moving.show(
                f"sha256 {bar(step.done_bytes / max(1, step.total_bytes))}"
            ),
        )
    path = write(session.config.folders.registry, manifest)
    for part in manifest.files:  # its first use need not read it once more
        weights.remember(weights.path(manifest, part), part.sha256)
    session.print("cli.models.added", model=manifest.id, path=path)
    if "chat" in manifest.capabilities:
        session.print("cli.models.then_use", model=manifest.id)


@command.command("scan", cls=Verb, help="models.scan")
@click.argument("folder", metavar="[FOLDER]", required=False)
@click.option("--add", "adding", is_flag=True, help="models.scan_add")
@click.option("--json", "in_json", is_flag=True, help="json")
@click.pass_obj
def scan(session: Session, folder: str | None, adding: bool, in_json: bool) -> int:
    from lumbre.cli.scanning import scan as scanned

    registry, weights = _open(session)
    return scanned(session, registry, weights, folder, add=adding, in_json=in_json)


@command.command("use", cls=Verb, help="models.use")
@click.argument("role", type=click.Choice(["primary", "lightweight"]), metavar="ROLE")
@click.argument("model", metavar="ID")
@click.pass_obj
def use(session: Session, role: str, model: str) -> None:
    from lumbre.cli.settings_file import write_setting

    registry, weights = _open(session)
    with known_names():
        manifest = registry.get(model)
    weights.refuse_gone(manifest)
    if "chat" not in manifest.capabilities:
        raise CannotDo(model=manifest.id, what="chat")
    write_setting(session.config.folders.config_file, f"llm.{role}.id", manifest.id)
    session.print("cli.models.used", role=role, model=manifest.id)
    if weights.state(manifest) != "present":
        session.note("cli.hint", hint=f"lumbre models pull {manifest.id}")


def _told(manifest: Manifest, weights: "Weights") -> dict[str, object]:
    """A manifest and where its weights stand, as scripts read it."""
    return {
        **asdict(manifest),
        "state": weights.state(manifest),
        "path": _place(manifest, weights),
        "bytes": weights.bytes_on_disk(manifest),
    }


def _place(manifest: Manifest, weights: "Weights") -> str | None:
    return str(weights.path(manifest, manifest.weights[0])) if manifest.weights else None


def _bytes(manifest: Manifest, weights: "Weights") -> int:
    from lumbre.registry.weights import total_bytes

    return total_bytes(manifest) or weights.bytes_on_disk(manifest)


def _meant(session: Session, registry: "Registry", what: str) -> list[Manifest]:
    """The models of an id, a role, a capability, or all; the primary is the one in force."""
    if what == "primary":
        return [registry.primary(_chosen(session))]
    with known_names():
        return registry.find(what)


def _state(session: Session, manifest: Manifest, weights: "Weights") -> str:
    if weights.gone(manifest) is not None:
        return session.say("models.gone")
    return session.say(f"cli.models.{weights.state(manifest)}")


def _chosen(session: Session) -> str | None:
    return session.config.settings.llm.primary.id or None
