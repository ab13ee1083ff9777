"""Models that are known by their numbers, for those whose weights are not here."""

from lumbre.registry.known.table import ARITHMETIC, KnownModel, find_known, known_models

__all__ = ["ARITHMETIC", "KnownModel", "find_known", "known_models"]
