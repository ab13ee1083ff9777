"""Described machines: one in a file, not owned yet perhaps, or the references that lumbre ships."""

import json
import stat
import tomllib
from pathlib import Path

from lumbre.core.errors import BadMachine, UnknownMachine
from lumbre.core.machine import Device, Host
from lumbre.hardware.description import host_of
from lumbre.words import Sentence

_SHIPPED = Path(__file__).parent / "machines"
_MOST_BYTES = 256 * 1024


def machine_names() -> tuple[str, ...]:
    """The machines that come with lumbre."""
    return tuple(sorted(path.stem for path in _SHIPPED.glob("*.toml")))


def find_machine(name_or_path: str) -> Host:
    """A machine by the name of one that ships, else by the path of its file.

    Raises:
        UnknownMachine: neither.
        BadMachine: a file that does not describe one.
    """
    if name_or_path in machine_names():
        return read_machine(_SHIPPED / f"{name_or_path}.toml")
    if not name_or_path:
        raise UnknownMachine(name="''", known=machine_names())
    path = Path(name_or_path)
    try:
        path.lstat()
    except (OSError, ValueError) as error:
        raise UnknownMachine(name=name_or_path, known=machine_names()) from error
    return read_machine(path)


def read_machine(path: Path) -> Host:
    """The machine a file describes; docs/machines.md tells what it may say.

    Raises:
        BadMachine: unreadable, no TOML, or an impossible value.
    """
    return host_of(_table(path), path)


def write_machine(host: Host) -> str:
    """A machine as such a file; reading it gives the same one, as described."""
    cpu = host.cpu
    lines = [
        _line("name", host.name),
        _line("processor", cpu.name),
        _line("cores", host.cores),
        _line("architecture", host.architecture),
        _line("instruction_sets", list(host.instruction_sets)),
        _line("driver", host.driver),
        _line("cuda", host.cuda),
        _line("disk", host.disk_bytes_per_s),
        "\n[memory]\n",
        _line("total", cpu.total_bytes),
        *_shared(cpu),
    ]
    for card in host.cards:
        lines += [
            "\n[[cards]]\n",
            _line("id", card.id),
            _line("name", card.name),
            _line("kind", card.kind),
            _line("memory", card.total_bytes),
            *_shared(card),
            _line("compute_capability", card.compute_capability),
            _line("link", card.link_bytes_per_s),
        ]
    return "".join(lines)


def _shared(device: Device) -> tuple[str, ...]:
    return (
        _line("system", device.total_bytes - device.free_bytes),
        _line("bandwidth", device.bandwidth_bytes_per_s),
        _line("compute", device.compute_flops),
    )


def _line(key: str, value: object) -> str:
    """Nothing where a value is not known. JSON's texts and lists are TOML's too."""
    return "" if value is None else f"{key} = {json.dumps(value, ensure_ascii=False)}\n"


def _table(path: Path) -> dict[str, object]:
    def bad(reason: str, **facts: object) -> BadMachine:
        said = Sentence(f"hardware.machine.{reason}", **facts)
        return BadMachine(path=path, key=None, value=None, reason=said)

    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise bad("not_a_file")
        if facts.st_size > _MOST_BYTES:
            raise bad("too_long", most_bytes=_MOST_BYTES)
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES)
    except OSError as error:
        raise bad("unreadable", detail=error.strerror or str(error)) from error
    try:
        return tomllib.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        detail = str(error).partition("\n")[0][:200]
        raise bad("not_toml", detail=detail) from error
