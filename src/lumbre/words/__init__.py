"""What lumbre says to people, in English, Spanish and Russian.

Each part of the program keeps its sentences in one TOML file beside this one; a
sentence stands there in the three languages, one under the other. Values go in by
name, and a name's ending says how the value is written: `_bytes` as a size, `_s` as
seconds, `_share` as a percentage, each with the decimal mark of the language; any other
number that is no integer with one digit behind it.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal, get_args

Language = Literal["en", "es", "ru"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

_FOLDER = Path(__file__).parent


def say(key: str, language: Language, /, **facts: object) -> str:
    """The sentence `part.name` in a language, with its facts written in.

    Raises:
        KeyError: no such sentence, or a fact that it names was not given.
    """
    part, _, name = key.partition(".")
    written = {fact: _written(fact, value, language) for fact, value in facts.items()}
    return sentences(part)[name][language].format_map(written)


class Sentence(str):
    """A sentence that goes into another one before its reader's language is known.

    It is its English text to anything that only wants a string; `say` writes it in the
    language of the sentence around it.
    """

    __slots__ = ("facts", "key")

    key: str
    facts: Mapping[str, object]

    def __new__(cls, key: str, /, **facts: object) -> "Sentence":
        self = super().__new__(cls, say(key, "en", **facts))
        self.key, self.facts = key, facts
        return self


@cache
def sentences(part: str) -> Mapping[str, Mapping[str, str]]:
    """Every sentence of a part: name -> language -> text with {places}."""
    with (_FOLDER / f"{part}.toml").open("rb") as file:
        table = tomllib.load(file)
    return dict(_flat(table))


def parts() -> tuple[str, ...]:
    """The parts that have sentences, by file name."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def language_of(*wishes: str | None) -> Language:
    """The first wish that names a language we speak ("es", "ru_RU.UTF-8"), else English."""
    for wish in wishes:
        for language in LANGUAGES:
            if wish and wish.lower().replace("-", "_").split("_")[0].split(".")[0] == language:
                return language
    return "en"


def size(count_bytes: float, language: Language) -> str:
    """Bytes as a person reads them: 1.1 GB; es and ru write 1,1 GB."""
    value, unit = float(count_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if abs(value) < 1000:
            break
        value, unit = value / 1000, larger
    digits = 0 if unit in ("B", "kB") or value >= 100 else 1
    return f"{number(value, language, digits)} {unit}"


def number(value: float, language: Language, digits: int = 1) -> str:
    """A number with the decimal mark of the language."""
    text = f"{value:.{digits}f}"
    return text if language == "en" else text.replace(".", ",")


def _written(fact: str, value: object, language: Language) -> object:
    if isinstance(value, Sentence):
        return say(value.key, language, **value.facts)
    if isinstance(value, int | float) and not isinstance(value, bool):
        if fact.endswith("_bytes"):
            return size(value, language)
        if fact.endswith("_s"):
            return (
                f"{number(value, language)} s"
                if language != "ru"
                else f"{number(value, language)} с"
            )
        if fact.endswith("_share"):
            return f"{number(100 * value, language, 0)} %"
        if isinstance(value, float):
            return number(value, language)
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    return value


def _flat(table: Mapping[str, object], prefix: str = "") -> list[tuple[str, dict[str, str]]]:
    found: list[tuple[str, dict[str, str]]] = []
    for name, value in table.items():
        if not isinstance(value, dict):
            raise ValueError(f"{prefix}{name}: a sentence is a table of languages")
        if set(value) & set(LANGUAGES):
            found.append((f"{prefix}{name}", {k: str(v) for k, v in value.items()}))
        else:
            found.extend(_flat(value, f"{prefix}{name}."))
    return found
