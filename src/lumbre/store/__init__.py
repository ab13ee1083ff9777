"""The one database: every part brings its tables and their history."""

from lumbre.store.database import Schema, Store

__all__ = ["Schema", "Store"]
