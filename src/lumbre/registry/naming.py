"""What a model's id says about it, where it follows the naming of versions.

`<family>-<size>-<purpose>-<quant>-v<major>.<minor>[.<patch>]`. An id that does not is
legal: the parts that are absent are unknown, and what cannot be told apart stays in the
family.
"""

import re
from dataclasses import dataclass

_SIZE = r"\d+(?:\.\d+)?[mbt](?:-a\d+(?:\.\d+)?[mb])?|\d+x\d+(?:\.\d+)?[mb]"
_QUANT = (
    r"i?q\d(?:_\d|_?k(?:_?(?:[sml]|xl))?|_?nl|_?x{0,2}s|_?[sm])?"
    r"|(?:bf|fp?)\d{1,2}|u?int\d|tq\d_\d|mxfp4(?:_moe)?|nvfp4|nf4|awq|gptq|exl\d"
)
_WORD = r"[^\W\d_][^\W_]*"
_NUMBER = r"0|[1-9]\d{0,8}"
_NAME = re.compile(
    rf"(?P<family>.+?)"
    rf"(?:-(?P<size>{_SIZE})(?P<purpose>(?:-(?!(?:{_QUANT})(?:-|$)){_WORD})*))?"
    rf"(?:-(?P<quant>{_QUANT}))?"
    rf"(?:-v(?P<major>{_NUMBER})\.(?P<minor>{_NUMBER})(?:\.(?P<patch>{_NUMBER}))?)?",
    re.IGNORECASE | re.ASCII | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Name:
    """An id in its parts; None is unknown. `str` gives the id back."""

    family: str
    size: str | None = None
    purpose: str | None = None
    quant: str | None = None
    major: int | None = None
    """A jump in quality, family or context."""
    minor: int | None = None
    """Quant or parameters."""
    patch: int | None = None
    """Tokenizer fixes."""

    def __str__(self) -> str:
        version = None
        if self.major is not None:
            numbers = (self.major, self.minor, self.patch)
            version = "v" + ".".join(str(number) for number in numbers if number is not None)
        parts = (self.family, self.size, self.purpose, self.quant, version)
        return "-".join(part for part in parts if part is not None)


def parse_name(model_id: str) -> Name:
    """The parts of an id, as far as it names them."""
    match = _NAME.fullmatch(model_id)
    if match is None:
        return Name(model_id)
    major, minor, patch = (
        int(match[part]) if match[part] else None for part in ("major", "minor", "patch")
    )
    purpose = (match["purpose"] or "").removeprefix("-") or None
    return Name(match["family"], match["size"], purpose, match["quant"], major, minor, patch)


def is_newer(name: Name, than: Name) -> bool | None:
    """Whether one is a later version of the other; None where they cannot be compared.

    Only names with the same family, size, purpose and quant can, each of them known, and
    only as far as both tell their version.
    """
    same = (name.family, name.size, name.purpose, name.quant)
    if same != (than.family, than.size, than.purpose, than.quant) or None in same:
        return None
    pairs = ((name.major, than.major), (name.minor, than.minor), (name.patch, than.patch))
    for mine, other in pairs:
        if mine != other:
            return None if mine is None or other is None else mine > other
    return None if name.major is None else False
