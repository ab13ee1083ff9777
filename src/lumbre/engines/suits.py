"""Which build suits a machine, and why the others do not. Pure."""

from dataclasses import dataclass

from lumbre.core.machine import Device, Host
from lumbre.engines.catalogue import Build, builds
from lumbre.engines.system import System, version_of
from lumbre.words import Sentence


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a build runs on a machine and is of use there."""

    build: Build
    suits: bool
    reason: Sentence
    cards: int = 0
    """How many of the machine's cards it can use."""


def verdict(build: Build, host: Host, system: System) -> Verdict:
    """By what the build's publisher says it needs. Nothing is tried."""
    if build.system != system.name or system.processor not in build.processors:
        return _no(
            build,
            "other_machine",
            made_for=f"{build.system} {'/'.join(build.processors)}",
            here=f"{system.name} {system.processor}",
        )
    if build.glibc and version_of(system.glibc) < version_of(build.glibc):
        return _no(build, "old_glibc", needs=build.glibc, here=system.glibc or "?")
    match build.device:
        case "cuda":
            return _cuda(build, host)
        case "rocm":
            return _rocm(build, system)
        case "vulkan":
            if not system.has_vulkan:
                return _no(build, "no_vulkan")
            return Verdict(build, True, Sentence("engines.why.vulkan"), 1)
        case "metal":
            return Verdict(build, True, Sentence("engines.why.metal"), 1)
        case "cpu":
            return _cpu(build, host)


def verdicts(host: Host, system: System) -> tuple[Verdict, ...]:
    """Of every build, in the catalogue's order."""
    return tuple(verdict(build, host, system) for build in builds())


def best(found: tuple[Verdict, ...]) -> Verdict | None:
    """The one to have: most cards first, then the catalogue's order."""
    return max((one for one in found if one.suits), key=lambda one: one.cards, default=None)


def _cuda(build: Build, host: Host) -> Verdict:
    cards = [card for card in host.cards if card.kind == "cuda"]
    if not cards:
        return _no(build, "no_nvidia")
    if host.cuda is None:
        return _no(build, "no_cuda_driver")
    if version_of(host.cuda)[:1] < version_of(build.cuda)[:1]:
        return _no(build, "old_driver", needs=build.toolkit, here=host.cuda)
    usable = [card for card in cards if _runs_on(build, card, host.cuda)]
    if not usable:
        capabilities = sorted({card.compute_capability or "?" for card in cards})
        return _no(
            build,
            "no_code",
            cards=[card.name for card in cards],
            capabilities=capabilities,
            needs=build.cuda,
            here=host.cuda,
        )
    names = [card.name for card in usable]
    reason = Sentence("engines.why.cuda", cards=names, cuda=host.cuda)
    return Verdict(build, True, reason, len(usable))


def _runs_on(build: Build, card: Device, driver_cuda: str) -> bool:
    """It has code for this very card, or one that a new enough driver translates."""
    capability = card.compute_capability
    if capability is None or capability in build.native:
        return True
    is_new_enough = version_of(capability) >= version_of(build.least_capability)
    return is_new_enough and version_of(driver_cuda) >= version_of(build.cuda)


def _rocm(build: Build, system: System) -> Verdict:
    if not system.rocm:
        return _no(build, "no_rocm", needs=build.rocm)
    if version_of(system.rocm)[:1] != version_of(build.rocm)[:1]:
        return _no(build, "other_rocm", needs=build.rocm, here=system.rocm)
    return Verdict(build, True, Sentence("engines.why.rocm", rocm=system.rocm), 1)


def _cpu(build: Build, host: Host) -> Verdict:
    if build.newer_instructions:
        has = set(build.newer_instructions) & set(host.instruction_sets)
        if not has:
            return _no(build, "nothing_newer")
        return Verdict(build, True, Sentence("engines.why.newer", instructions=sorted(has)))
    return Verdict(build, True, Sentence("engines.why.cpu"))


def _no(build: Build, code: str, /, **facts: object) -> Verdict:
    return Verdict(build, False, Sentence(f"engines.why_not.{code}", **facts))
