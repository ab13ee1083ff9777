"""Show the models other programs keep on this machine, and add those that are new."""

import shlex
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lumbre.cli.fitting import fitting, on_lines, terminal_width
from lumbre.cli.place import absolute
from lumbre.cli.render import Moving, as_json, bar
from lumbre.cli.session import Session
from lumbre.core.errors import BadArguments, LumbreError, WeightsMissing
from lumbre.core.model import Manifest
from lumbre.words import size

if TYPE_CHECKING:
    from lumbre.registry.folder import Registry
    from lumbre.registry.scan import Found, Place
    from lumbre.registry.scan.survey import Row
    from lumbre.registry.weights import Weights


def scan(
    session: Session,
    registry: "Registry",
    weights: "Weights",
    folder: str | None,
    *,
    add: bool,
    in_json: bool,
) -> int:
    """Look into the folders of known programs, or into one; 0 unless one could not be added."""
    places = _places(session, folder)
    if not places and not in_json:
        no_place = session.say("models.scan.no_place")
        print(on_lines(no_place, indent=0, further=0, width=terminal_width()))
        return 0
    rows = _rows(session, registry, weights, places)
    new = [row for row in rows if row.is_new]
    if in_json:
        if add:
            outcome = _add(session, registry, weights, new, quietly=True)
            rows = _rows(session, registry, weights, places)
            print(as_json([_told(session, row) for row in rows]))
            return outcome
        print(as_json([_told(session, row) for row in rows]))
        return 0
    _show(session, rows, places)
    if not new:
        return 0
    if not add and not sys.stdin.isatty():
        if folder is None:
            session.note("models.scan.to_add")
        else:
            session.note("models.scan.to_add_folder", folder=folder)
        return 0
    if not add:
        question = session.say("models.scan.ask", count=len(new))
        if input(f"{question} ").strip().lower() not in session.say("cli.pull.agreements").split():
            return 0
    return _add(session, registry, weights, new)


def _places(session: Session, folder: str | None) -> "Sequence[Place]":
    from lumbre.registry.scan import Place, Whereabouts, places

    if folder is None:
        home = Path(session.environment.get("HOME") or Path.home())
        return places(Whereabouts(home, session.environment))
    path = Path(absolute(folder))
    if not path.is_dir():
        key = "models.not_a_folder" if path.exists() else "models.no_folder"
        raise BadArguments(reason=session.say(key, path=folder, quoted=shlex.quote(folder)))
    return [Place("folder", path)]


def _rows(
    session: Session, registry: "Registry", weights: "Weights", places: "Iterable[Place]"
) -> "list[Row]":
    from lumbre.registry.scan import look
    from lumbre.registry.scan.survey import Known, survey

    known = Known.of((model, _place(weights, model)) for model in registry.usable())
    seen = 0
    with Moving() as moving:

        def counted(item: "Found") -> "Found":
            nonlocal seen
            seen += 1
            moving.show(session.say("models.scan.looking", found=seen))
            return item

        finds = (counted(item) for place in places for item in look(place))
        return list(survey(finds, known))


def _place(weights: "Weights", model: Manifest) -> Path | None:
    try:
        return weights.path(model, model.weights[0]) if model.weights else None
    except WeightsMissing:
        return None


def _show(session: Session, rows: "Sequence[Row]", places: "Sequence[Place]") -> None:
    usable = [row for row in rows if row.model is not None]
    width = terminal_width()
    if not rows:
        folders = [str(place.folder) for place in places]
        nothing = session.say("models.scan.nothing", folders=folders)
        print(on_lines(nothing, indent=0, further=0, width=width))
        return
    if usable:
        cells = [_cells(session, row) for row in usable]
        print(fitting(session.say("models.scan.columns").split("|"), cells, width=width))
    unusable = [row for row in rows if row.model is None]
    if unusable:
        if usable:
            print()
        session.print("models.scan.unusable")
        for row in unusable:
            told = f"{row.found.name} ({_store(session, row.found)}): {_reason(session, row)}"
            print(on_lines(told, indent=2, further=4, width=width))
    if usable and not any(row.is_new for row in usable):
        session.print("models.scan.nothing_new")


def _cells(session: Session, row: "Row") -> tuple[str, str, str, str, str]:
    store = _store(session, row.found)
    others = list(dict.fromkeys(_store(session, other) for other in row.also))
    also = [other for other in others if other != store]
    if also:
        store = session.say("models.scan.and_also", store=store, also=also)
    state = (
        session.say("models.scan.new")
        if row.known is None
        else session.say("models.scan.known", model=row.known)
    )
    assert row.model is not None
    return row.found.name, store, size(row.size_bytes, session.language), row.model.quant, state


def _store(session: Session, found: "Found") -> str:
    return session.say(f"models.store.{found.kind}")


def _reason(session: Session, row: "Row") -> str:
    reason = row.trouble
    return "" if reason is None else session.say(reason.key, **reason.facts)


def _told(session: Session, row: "Row") -> dict[str, object]:
    """A find as scripts read it."""
    state = "unusable" if row.model is None else "new" if row.known is None else "known"
    return {
        "name": row.found.name,
        "store": row.found.kind,
        "path": str(row.found.path),
        "also": [
            {"name": other.name, "store": other.kind, "path": str(other.path)} for other in row.also
        ],
        "state": state,
        "id": row.known,
        "role": row.model.role if row.model else None,
        "quant": row.model.quant if row.model else None,
        "bytes": row.size_bytes,
        "sha256": row.found.sha256,
        "reason": _reason(session, row) or None,
    }


def _add(
    session: Session,
    registry: "Registry",
    weights: "Weights",
    new: "Sequence[Row]",
    *,
    quietly: bool = False,
) -> int:
    from lumbre.cli.main import exit_code
    from lumbre.registry.add import write
    from lumbre.registry.scan.survey import manifest_for

    outcome, talkers = 0, []
    for row in new:
        try:
            models = registry.usable()
            with Moving() as moving:

                def sum_of(path: Path) -> str:
                    return weights.sha256(
                        path,
                        lambda step: moving.show(
                            f"sha256 {bar(step.done_bytes / max(1, step.total_bytes))}"
                        ),
                    )

                manifest = manifest_for(row, [model.id for model in models], sum_of)
            sums = {model.checksum_sha256: model.id for model in models}
            if same := sums.get(manifest.checksum_sha256):
                if not quietly:
                    session.print("models.scan.same", name=row.found.name, model=same)
                continue
            path = write(session.config.folders.registry, manifest)
            if not quietly:
                session.print("cli.models.added", model=manifest.id, path=path)
            if "chat" in manifest.capabilities:
                talkers.append(manifest.id)
        except LumbreError as error:
            session.complain(error)
            outcome = exit_code(error)
    if talkers and not quietly:
        session.print("cli.models.then_use", model=talkers[0])
    return outcome
