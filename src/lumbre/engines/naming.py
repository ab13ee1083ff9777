"""What a file's name says of the build in it: its form, and which machine it is for."""

import re
from dataclasses import dataclass
from pathlib import PurePath

from lumbre.core.machine import DeviceKind
from lumbre.engines.catalogue import Build, Form, builds
from lumbre.engines.system import System, version_of

_ARCHIVES = (".tar.gz", ".tgz", ".tar.xz", ".zip")
_PROCESSORS = {
    "x86_64": "x86_64", "x64": "x86_64", "amd64": "x86_64",
    "aarch64": "aarch64", "arm64": "aarch64", "s390x": "s390x", "ppc64le": "ppc64le",
    "i686": "i686", "riscv64": "riscv64",
}  # fmt: skip
_SYSTEMS = {
    "linux": "linux", "manylinux": "linux", "musllinux": "musl", "ubuntu": "linux",
    "debian": "linux", "macos": "darwin", "macosx": "darwin", "darwin": "darwin",
    "win": "win32", "windows": "win32", "android": "android", "openeuler": "linux",
}  # fmt: skip
_DEVICES: tuple[tuple[DeviceKind, str], ...] = (
    ("cuda", r"cuda|cu1\d\d?"),
    ("rocm", r"rocm|hip"),
    ("vulkan", r"vulkan"),
    ("metal", r"metal"),
)
_WHEEL = re.compile(
    r"(?P<name>[^-]+)-(?P<version>[^-]+)(?:-\d[^-]*)?"
    r"-(?P<python>[^-]+)-(?P<abi>[^-]+)-(?P<platform>[^-]+)\.whl"
)
"""Source: packaging.python.org, "Binary distribution format"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A file that may hold a build, by its name alone. Empty or None: the name does not say."""

    form: Form
    system: str = ""
    processor: str = ""
    device: DeviceKind | None = None
    toolkit: str = ""
    """Major version of CUDA or ROCm."""
    glibc: tuple[int, ...] = ()
    python: str = ""
    """The wheel's tags for Python and its binary interface."""
    version: str = ""


def read_name(path: PurePath) -> Named | None:
    """What a name says, its folder's name helping; None when it is no build's.

    The folder counts because the wheels for CUDA, ROCm and Vulkan are called alike.
    """
    name = path.name.lower()
    said = f"{path.parent.name.lower()}/{name}"
    if name.endswith(".whl"):
        match = _WHEEL.fullmatch(name)
        if match is None or match["name"] != "xllamacpp":
            return None
        return Named(
            form="wheel",
            system=_system(match["platform"]),
            processor=_processor(match["platform"]),
            device=_device(said),
            toolkit=_toolkit(said),
            glibc=_glibc(match["platform"]),
            python=f"{match['python']}-{match['abi']}",
            version=match["version"],
        )
    if not name.endswith(_ARCHIVES) or "llama" not in name or name.startswith("cudart"):
        return None
    return Named(
        form="server",
        system=_system(name),
        processor=_processor(name),
        device=_device(said) or ("cpu" if _system(name) == "linux" else None),
        toolkit=_toolkit(said),
        version=found[0] if (found := re.search(r"(?<![a-z0-9])b\d{3,6}(?!\d)", name)) else "",
    )


def fits(named: Named, system: System) -> bool:
    """Whether nothing in the name speaks against this machine."""
    processor = _PROCESSORS.get(system.processor.lower(), system.processor)
    if named.system and named.system != system.name:
        return False
    if named.processor and named.processor != processor:
        return False
    if named.glibc and version_of(system.glibc) < named.glibc:
        return False
    return not named.python or _python_fits(named.python, system.python)


def row_for(named: Named) -> Build | None:
    """The catalogue's row; None when the name does not say which device it is for."""
    if named.device is None:
        return None
    return next(
        (
            row
            for row in builds()
            if (row.form, row.device) == (named.form, named.device)
            and named.toolkit in ("", row.toolkit)
        ),
        None,
    )


def _system(text: str) -> str:
    """The longest word that names one: "manylinux_2_17" and "macosx_11_0" have numbers behind."""
    words = sorted(_SYSTEMS, key=len, reverse=True)
    found = (word for word in words if re.search(rf"(?<![a-z]){word}(?![a-z])", text))
    return next((_SYSTEMS[word] for word in found), "")


def _processor(text: str) -> str:
    return next((name for word, name in _PROCESSORS.items() if word in text), "")


def _device(said: str) -> DeviceKind | None:
    return next((kind for kind, pattern in _DEVICES if re.search(pattern, said)), None)


def _toolkit(said: str) -> str:
    found = re.search(r"(?:cuda[-_]?|cu|rocm[-_]?|hip[-_]?)(1[0-9]|[5-9])", said)
    return found[1] if found else ""


def _glibc(tag: str) -> tuple[int, ...]:
    """The oldest that any of the tags allows."""
    found = [(int(a), int(b)) for a, b in re.findall(r"manylinux_(\d+)_(\d+)", tag)]
    return min(found, default=(2, 17) if "manylinux2014" in tag else ())


def _python_fits(tags: str, python: tuple[int, int]) -> bool:
    pythons, _, abi = tags.partition("-")
    for tag in pythons.split("."):
        found = re.fullmatch(r"(?:cp|py)(\d)(\d*)", tag)
        if not found:
            continue
        wanted = (int(found[1]), int(found[2] or 0))
        if wanted == python or ("abi3" in abi and wanted <= python) or tag.startswith("py"):
            return True
    return False
