"""What every engine of ours is: a worker on loopback that says how much it reads at a time."""

from lumbre.backends.wire import Wire


class Served:
    """A worker, connected."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self._window_tokens: int | None = None

    @property
    def window_tokens(self) -> int:
        """Tokens of the longest text or talk it takes. Known once `look` has returned."""
        if self._window_tokens is None:
            raise RuntimeError("the window is known once the engine is ready")
        return self._window_tokens

    @property
    def progress(self) -> int:
        """Events and vectors that have come from it."""
        return self.wire.progress

    @property
    def is_busy(self) -> bool:
        """Whether somebody waits for it now."""
        return self.wire.waiting > 0

    @property
    def broken(self) -> int:
        """Answers it owes: broken off, never begun, or an error of its own making."""
        return self.wire.broken

    async def close(self) -> None:
        """Give the connection back. Does not stop the worker."""
        await self.wire.close()

    async def look(self) -> None:
        """Ask the worker what it is.

        Raises: as `Wire.get`.
        """
        props = await self.wire.get("/props")
        self._window_tokens = int(props["default_generation_settings"]["n_ctx"])
