"""What a machine has: its devices, their memory and speed, as far as this process may use them."""

from dataclasses import dataclass
from typing import Literal

DeviceKind = Literal["cpu", "cuda", "rocm", "metal", "vulkan"]
CPU = "cpu"
"""The id of main memory and the processor; cards are gpu0, gpu1 ..."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Main memory at one moment."""

    total_bytes: int
    available_bytes: int
    """What can be taken now without swapping, after the limit of our control group."""
    limit_bytes: int | None = None
    """The control group's limit, where there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A memory that layers can lie in, and what computes beside it."""

    id: str
    kind: DeviceKind
    name: str
    total_bytes: int
    """After the limit of our control group, for main memory."""
    free_bytes: int
    bandwidth_bytes_per_s: float | None = None
    """Memory read in one second: what bounds the writing of an answer. None: not known."""
    compute_flops: float | None = None
    """Of the arithmetic a prompt is read with, per second. None: not known."""
    link_bytes_per_s: float | None = None
    """From main memory to a card."""
    compute_capability: str | None = None
    """NVIDIA's, such as "8.9"."""
    uuid: str | None = None
    """What its driver calls this very card, wherever it is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A machine: this one as it is now, or one that a file describes."""

    name: str
    devices: tuple[Device, ...]
    """Main memory first."""
    cores: int
    """Usable ones: after affinity and quotas."""
    architecture: str
    """As `platform.machine()` names it."""
    instruction_sets: tuple[str, ...] = ()
    driver: str | None = None
    """Of the graphics cards."""
    cuda: str | None = None
    """The newest CUDA the driver serves."""
    disk_bytes_per_s: float | None = None
    """Weights read from disk in one second. None: not known."""
    is_described: bool = False
    """From a file: nothing can be measured there."""

    @property
    def cpu(self) -> Device:
        """Main memory."""
        return self.devices[0]

    @property
    def cards(self) -> tuple[Device, ...]:
        """Everything but main memory."""
        return self.devices[1:]

    def device(self, device_id: str) -> Device:
        """The device of this id, which has to be there."""
        return next(device for device in self.devices if device.id == device_id)
