"""What a machine has: memory and cores, as far as this process may use them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Memory:
    """Main memory at one moment."""

    total_bytes: int
    available_bytes: int
    """What can be taken now without swapping, after the limit of our control group."""
    limit_bytes: int | None = None
    """The control group's limit, where there is one."""


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes a worker will hold once loaded and filled, by what they are for."""

    weights_bytes: int
    """The weights file, mapped or read."""
    repack_bytes: int
    """A second copy of tensors the CPU backend rewrites for speed."""
    kv_bytes: int
    overhead_bytes: int

    @property
    def total_bytes(self) -> int:
        return self.weights_bytes + self.repack_bytes + self.kv_bytes + self.overhead_bytes
