"""What a ticket that is refused is told: the policy's reason as an error with its figures. Pure."""

from lumbre.core.errors import (
    DoesNotFit,
    JustFailed,
    LumbreError,
    NoRoomOnCard,
    Stopping,
    TooManyLoaded,
    WorkerFailed,
)
from lumbre.core.machine import CPU
from lumbre.pool.lease import Limits, Prepared
from lumbre.pool.policy.events import Refuse
from lumbre.pool.policy.state import LLMS


def refusal_of(
    refused: Refuse, prepared: Prepared, limits: Limits, failure: LumbreError | None
) -> LumbreError:
    """`failure` is what ended the worker that the refusal names."""
    model = refused.model
    if refused.why == "stopping":
        return Stopping()
    if refused.why == "failed" and failure is not None:
        return failure
    if refused.why in ("cooling", "failed"):
        reason = log = ""
        if isinstance(failure, WorkerFailed):
            reason, log = str(failure.facts["reason"]), str(failure.facts["log"])
        return JustFailed(model=model, reason=reason, log=log, retry_after_s=refused.retry_after_s)
    if refused.short_of == LLMS:
        return TooManyLoaded(model=model, most=limits.max_concurrent_llms)
    if refused.short_of != CPU:
        return NoRoomOnCard(
            model=model,
            device=refused.short_of,
            need_bytes=prepared.need[refused.short_of].total_bytes,
            available_bytes=refused.free,
        )
    need = prepared.need[CPU]
    return DoesNotFit(
        model=model,
        need_bytes=need.total_bytes,
        weights_bytes=need.weights_bytes,
        repack_bytes=need.repack_bytes,
        kv_bytes=need.kv_bytes,
        overhead_bytes=need.compute_bytes + need.overhead_bytes,
        available_bytes=refused.free,
    )
