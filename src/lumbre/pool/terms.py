"""What a prepared model asks of the pool, and what the pool's limits make of a machine. Pure."""

import hashlib
from collections.abc import Collection

from lumbre.core.machine import CPU
from lumbre.core.model import CHAT_ROLES, RESIDENT_ROLES
from lumbre.pool.lease import Limits, Prepared
from lumbre.pool.policy.state import LLMS, THREADS, Resources, Standing, State, Terms

_SLACK_SHARE = 2
"""Others may take this part of the reserve before anybody yields: it is there to be used."""


_LEAST_SLACK_BYTES = 64 * 2**20
"""Also without a reserve: or what a plan is off by has a model loaded and stopped in turns."""


def terms_of(prepared: Prepared, limits: Limits, load_s: float | None = None) -> Terms:
    """`load_s` as last measured, if it was."""
    role = prepared.manifest.role
    standing: Standing = "eager" if prepared.idle_s is None else "on_demand"
    if role in RESIDENT_ROLES:
        standing = "resident"
    elif role == "primary":
        standing = "primary"
    need = {device: footprint.total_bytes for device, footprint in prepared.need.items()}
    work = {THREADS: prepared.settings.generation_threads}
    work |= {device: 1 for device, amount in need.items() if device != CPU and amount}
    if role in CHAT_ROLES and (limits.count_remote or prepared.manifest.format != "remote"):
        need[LLMS] = 1
    return Terms(
        need=need,
        slots=prepared.slots,
        idle_s=prepared.idle_s,
        standing=standing,
        work=work,
        reload_s=load_s or prepared.load_s,
        requests_per_hour=prepared.requests_per_hour,
        made_of=_made_of(prepared),
    )


def beginning(limits: Limits, devices: Collection[str]) -> State:
    """Before anything was seen or asked."""
    caps = dict(limits.caps)
    work: dict[str, int] = {}
    if limits.max_concurrent_llms:
        caps[LLMS] = limits.max_concurrent_llms
    if limits.threads:
        work[THREADS] = limits.threads
    if limits.card_permits:
        work |= {device: limits.card_permits for device in devices if device != CPU}
    slack: Resources = {
        device: max(limits.reserve.get(device, 0) // _SLACK_SHARE, _LEAST_SLACK_BYTES)
        for device in devices
    }
    return State(
        caps=caps,
        work_caps=work,
        slack=slack,
        keep_while_fits=limits.keep_while_fits,
        pinned=limits.pinned,
    )


def _made_of(prepared: Prepared) -> str:
    """Another where the manifest, the settings or a file is another."""
    seen: list[object] = [prepared.manifest, prepared.settings, prepared.engine]
    for part, path in sorted(prepared.files.items()):
        try:
            stat = path.stat()
        except OSError:
            continue
        seen.append((part, path, stat.st_size, stat.st_mtime_ns))
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:16]
