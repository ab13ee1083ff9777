"""Bring weights: say how much it is, ask, and show how far it is."""

import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lumbre.cli.render import Moving, bar
from lumbre.cli.session import Session
from lumbre.core.errors import (
    BadArguments,
    BadConfig,
    ComesWithLumbre,
    NeedsConsent,
    WeightsGone,
)
from lumbre.core.machine import CPU
from lumbre.core.model import Manifest
from lumbre.words import number, size

if TYPE_CHECKING:
    from lumbre.core.plan import Plan
    from lumbre.registry.sources import Patience, Places
    from lumbre.registry.weights import Weights


def ways(session: Session) -> "tuple[Patience, Places]":
    """How long a source may take and whom to ask, as the settings say.

    Raises:
        BadConfig: the token itself stands where its variable's name should.
    """
    from lumbre.registry.sources import Patience, Places

    settings = session.config.settings.weights
    name = settings.hf_token_env
    if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) or name.startswith("hf_"):
        reason = session.say("models.token_name")
        key = "weights.hf_token_env"
        where = session.config.origins[key].where
        raise BadConfig(key=key, value="...", reason=reason, where=where)
    places = Places(
        hub=settings.hf_endpoint.rstrip("/"),
        hub_token=session.environment.get(name, "").strip(),
        hub_token_name=name,
        ollama=settings.ollama_registry.rstrip("/"),
    )
    return Patience(settings.connect_timeout_s, settings.stall_timeout_s), places


def is_device(word: str) -> bool:
    """Whether a word is how a plan calls the processor or a card."""
    return re.fullmatch(r"cpu|gpu\d+", word) is not None


def on_device(session: Session, device: str) -> list[str]:
    """The models that the plan for this machine puts on a device.

    Raises:
        BadArguments: the machine has no such device, or the plan leaves it empty.
    """
    from lumbre.planning import plan_household, this_machine_of

    with Moving() as moving:
        moving.show(session.say("cli.plan.asking"))
        plan = plan_household(session.config, host=this_machine_of(session.config))
    devices = [known.id for known in plan.host.devices]
    if device not in devices:
        reason = session.say("models.no_device", device=device, devices=devices)
        raise BadArguments(reason=reason)
    found = planned_on(plan, device)
    if not found:
        raise BadArguments(reason=session.say("models.empty_device", device=device))
    return found


def planned_on(plan: "Plan", device: str) -> list[str]:
    """Whose layers lie on a card; of the processor, who has none on any card.

    Every process has something in main memory: that alone makes no model the processor's.
    """
    return [
        model.id
        for model in plan.models
        if (model.bytes_on(device) > 0 if device != CPU else model.choice.card_layers == 0)
    ]


def pull_all(
    session: Session, weights: "Weights", models: Sequence[Manifest], *, sure: bool
) -> int:
    """Pull what is missing of these models; 0 unless the file of one is gone for good.

    Raises:
        NeedsConsent: there is something to pull, no `--yes`, and nobody at the terminal.
        LumbreError: whatever keeps a model from arriving; those before it stay.
    """
    from lumbre.cli.main import exit_code
    from lumbre.registry.weights import comes_with_lumbre

    if len(models) == 1 and comes_with_lumbre(models[0]):
        raise ComesWithLumbre(model=models[0].id)
    outcome, wanted = 0, []
    for manifest in models:
        if comes_with_lumbre(manifest) or weights.state(manifest) == "present":
            session.print("cli.pull.here", model=manifest.id)
            continue
        try:
            weights.refuse_gone(manifest)
            wanted.append(manifest)
        except WeightsGone as error:
            session.complain(error)
            outcome = exit_code(error)
    if not wanted:
        return outcome
    missing_bytes = sum(weights.missing_bytes(m) or 0 for m in wanted)
    for manifest in wanted:
        session.print(
            "cli.pull.wanted", model=manifest.id, total_bytes=weights.missing_bytes(manifest) or 0
        )
    if not sure and not _agreed(session, missing_bytes):
        return outcome
    for manifest in wanted:
        _pull(session, weights, manifest)
    return outcome


def _agreed(session: Session, missing_bytes: int) -> bool:
    question = session.say("cli.pull.ask", missing_bytes=missing_bytes)
    if not sys.stdin.isatty():
        raise NeedsConsent(what=session.say("cli.pull.what", missing_bytes=missing_bytes))
    return input(f"{question} ").strip().lower() in session.say("cli.pull.agreements").split()


def _pull(session: Session, weights: "Weights", manifest: Manifest) -> None:
    from lumbre.registry import events
    from lumbre.registry.fetch import pull

    patience, places = ways(session)
    with Moving() as moving:

        def report(event: events.Event) -> None:
            match event:
                case events.Found():
                    session.print("cli.pull.here", model=manifest.id)
                case events.Waiting():
                    session.note("cli.pull.waiting", model=manifest.id)
                case events.Trying(source):
                    moving.clear()
                    session.note("cli.pull.trying", source=source)
                case events.Progress():
                    moving.show(f"{manifest.id} {_progress(session, event)}")
                case events.SourceGaveUp(source, reason):
                    moving.clear()
                    session.note("cli.pull.gave_up", reason=reason.say(session.language))
                case events.Verifying(_, done_bytes, total_bytes):
                    share = done_bytes / max(1, total_bytes)
                    moving.show(f"{session.say('cli.pull.verifying')} {bar(share)}")
                case events.Done():
                    moving.clear()
                    session.print(
                        "cli.pull.done",
                        model=manifest.id,
                        fetch_s=event.fetch_s,
                        join_s=event.join_s,
                        verify_s=event.verify_s,
                    )

        pull(
            manifest,
            weights,
            home=session.config.folders.home,
            report=report,
            language=session.language,
            patience=patience,
            places=places,
        )


def _progress(session: Session, event: "object") -> str:
    from lumbre.registry.events import Progress

    assert isinstance(event, Progress)
    told = size(event.done_bytes, session.language)
    if event.total_bytes:
        total = size(event.total_bytes, session.language)
        told = f"{bar(event.done_bytes / event.total_bytes)} {told} / {total}"
    if event.bytes_per_s:
        told += f", {size(event.bytes_per_s, session.language)}/s"
        if event.total_bytes:
            left_s = (event.total_bytes - event.done_bytes) / event.bytes_per_s
            told += session.say("cli.pull.left", left=_clock(left_s, session))
    return told


def _clock(seconds: float, session: Session) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}" if minutes else f"{number(rest, session.language, 0)} s"
