"""What the fixture `running` gives."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from lumbre.pool.worker import Worker

Running = Callable[..., AbstractAsyncContextManager[tuple[Worker, Any]]]
