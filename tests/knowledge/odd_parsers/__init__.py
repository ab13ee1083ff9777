"""Parsers that misbehave, for the reader to survive."""
