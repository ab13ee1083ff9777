"""Main memory: whether even the smallest model that talks would have room."""

from collections.abc import Iterator

from lumbre.checks import Finding, Scope, command, found
from lumbre.checks._models import manifests
from lumbre.core.model import CHAT_ROLES
from lumbre.hardware.memory import read_memory
from lumbre.registry.weights import total_bytes

PLACE = 50


def check(scope: Scope) -> Iterator[Finding]:
    memory = read_memory(scope.root)
    has_bytes = min(memory.total_bytes, memory.limit_bytes or memory.total_bytes)
    facts: dict[str, object] = {
        "total_bytes": has_bytes,
        "available_bytes": memory.available_bytes,
        "limit_bytes": memory.limit_bytes,
    }
    sizes = [total_bytes(model) for model in manifests(scope) if model.role in CHAT_ROLES]
    smallest_bytes = min((size for size in sizes if size), default=0)
    if has_bytes < smallest_bytes:
        mend = command("lumbre plan")
        yield found("fail", "memory.too_small", mend, smallest_bytes=smallest_bytes, **facts)
    elif memory.available_bytes < smallest_bytes:
        mend = command("lumbre plan")
        yield found("warn", "memory.little", mend, smallest_bytes=smallest_bytes, **facts)
    else:
        key = "memory.ok" if memory.limit_bytes is None else "memory.limited"
        yield found("ok", key, **facts)
