"""Settings: what they are, where they come from, and the folders they live in."""

from lumbre.config.folders import Folders
from lumbre.config.load import Config, Origin, load
from lumbre.config.settings import Settings

__all__ = ["Config", "Folders", "Origin", "Settings", "load"]
