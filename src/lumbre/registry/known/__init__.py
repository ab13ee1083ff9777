"""Every known model: what can be planned with by numbers alone, the weights not being here."""

from lumbre.registry.known.table import (
    ARITHMETIC,
    KnownModel,
    find_known,
    known_models,
    nearest_known,
)

__all__ = ["ARITHMETIC", "KnownModel", "find_known", "known_models", "nearest_known"]
