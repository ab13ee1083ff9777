"""Work for optional models, asked for by a signal: allowed, bounded in time, answered once."""

from lumbre.triggers.triggers import Triggers

__all__ = ["Triggers"]
