"""Builds of the engine: which there are, which is here, which suits this machine."""
