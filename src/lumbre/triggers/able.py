"""Which models can do a trigger's work, the optional ones first."""

from collections.abc import Iterable

from lumbre.core.model import CHAT_ROLES, Capability, Manifest, Role
from lumbre.core.signals import TriggerName

CAPABILITIES: dict[TriggerName, Capability] = {
    "Eval.NeedJudge": "judge",
    "Reflection.LongContext": "long_context",
    "Plan.Generate": "plan",
}
_ORDER: tuple[Role, ...] = ("optional_moe", "secondary", "lightweight", "micro", "primary")
"""The primary last: it has its own work."""


def able(trigger: TriggerName, models: Iterable[Manifest]) -> list[Manifest]:
    """Of these models, those that chat and have the capability; within a role by id."""
    wanted = CAPABILITIES[trigger]
    found = [
        model
        for model in models
        if model.role in CHAT_ROLES and {"chat", wanted} <= set(model.capabilities)
    ]
    return sorted(found, key=lambda model: (_ORDER.index(model.role), model.id))
