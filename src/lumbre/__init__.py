"""A household of local AI models that is proven to fit, and answers from your own documents.

    from lumbre import Runtime, Store, load

    config = load({"LUMBRE_HOME": "/home/me/.local/share/lumbre"})
    runtime = Runtime(config, Store(config.folders.database))

`Runtime` chats and embeds by role or name; everything is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from lumbre.version import VERSION

if TYPE_CHECKING:
    from lumbre.config import Config, load
    from lumbre.core.errors import CapacityError, EngineError, LumbreError, UsageError
    from lumbre.core.generation import ChatRequest, Delta, Usage
    from lumbre.core.messages import Message
    from lumbre.core.model import Facts, Manifest
    from lumbre.runtime import Runtime
    from lumbre.store import Store

__version__ = VERSION
_WHERE = {
    "Config": "lumbre.config",
    "load": "lumbre.config",
    "LumbreError": "lumbre.core.errors",
    "UsageError": "lumbre.core.errors",
    "CapacityError": "lumbre.core.errors",
    "EngineError": "lumbre.core.errors",
    "ChatRequest": "lumbre.core.generation",
    "Delta": "lumbre.core.generation",
    "Usage": "lumbre.core.generation",
    "Message": "lumbre.core.messages",
    "Facts": "lumbre.core.model",
    "Manifest": "lumbre.core.model",
    "Runtime": "lumbre.runtime",
    "Store": "lumbre.store",
}

__all__ = [
    "CapacityError",
    "ChatRequest",
    "Config",
    "Delta",
    "EngineError",
    "Facts",
    "LumbreError",
    "Manifest",
    "Message",
    "Runtime",
    "Store",
    "Usage",
    "UsageError",
    "__version__",
    "load",
]


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"lumbre has no {name!r}")
    return getattr(import_module(_WHERE[name]), name)
