"""A pull in a process of its own, for tests that interrupt or kill it: one event per line."""

import json
import resource
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from lumbre.core.errors import LumbreError
from lumbre.core.model import Manifest
from lumbre.registry.events import Event
from lumbre.registry.fetch import pull
from lumbre.registry.weights import Weights
from lumbre.store import Store


def tell(word: str, **facts: Any) -> None:
    print(json.dumps({"event": word, **facts}, default=str), flush=True)


def report(event: Event) -> None:
    tell(type(event).__name__, **{name: getattr(event, name) for name in event.__slots__})


def main() -> int:
    home = Path(sys.argv[1])
    model = TypeAdapter(Manifest).validate_json(sys.argv[2])
    if len(sys.argv) > 3:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
    store = Store(home / "lumbre.db")
    try:
        pull(model, Weights(home / "models", store), home=home, report=report)
    except LumbreError as error:
        tell("error", code=error.code, message=error.message(), **error.facts)
        return 1
    except KeyboardInterrupt:
        tell("interrupted")
        return 130
    finally:
        store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
