"""Graphics that no engine of ours was ever run on: noticed, so that they can be named."""

import platform
from dataclasses import dataclass
from pathlib import Path

NVIDIA = 0x10DE
_MAKERS = {0x1002: "AMD", 0x8086: "Intel"}
"""Source: the PCI SIG's list of vendors, pci.ids."""
_DISPLAY = 0x03
"""Source: PCI Code and ID Assignment Specification, base class of display controllers."""
_PROCESSORS_OWN = "0000:00:02.0"
"""Where Intel's processors have their own graphics."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """One piece of graphics."""

    maker: str
    pci_id: str
    """Vendor and device; empty where it has none."""
    is_in_processor: bool


def read_unsupported(root: Path = Path("/")) -> tuple[Foreign, ...]:
    """AMD's, Intel's and Apple's graphics in this machine."""
    found = [
        Foreign(_MAKERS[vendor], f"{vendor:04x}:{device:04x}", slot == _PROCESSORS_OWN)
        for slot, vendor, device in _display_controllers(root)
        if vendor in _MAKERS
    ]
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        found.append(Foreign("Apple", "", True))
    return tuple(found)


def has_nvidia_card(root: Path = Path("/")) -> bool:
    """Whether one is plugged in, with a driver or without."""
    return any(vendor == NVIDIA for _, vendor, _ in _display_controllers(root))


def _display_controllers(root: Path) -> list[tuple[str, int, int]]:
    """Slot, vendor, device. Source: Documentation/ABI/testing/sysfs-bus-pci."""
    found = []
    try:
        folders = sorted((root / "sys/bus/pci/devices").iterdir())
    except OSError:
        return []
    for folder in folders:
        kind = _number(folder / "class")
        vendor, device = _number(folder / "vendor"), _number(folder / "device")
        if kind is not None and kind >> 16 == _DISPLAY and vendor is not None:
            found.append((folder.name, vendor, device or 0))
    return found


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(), 16)
    except (OSError, ValueError):
        return None
