"""What was found, held against what is known: which models are new, which cannot be used."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lumbre.core.errors import (
    BadWeights,
    CannotDo,
    HomeNotUsable,
    LumbreError,
    NoChatTemplate,
    SplitWeights,
    WrongPart,
)
from lumbre.core.model import Manifest, Source, WeightsFile
from lumbre.formats.gguf import read_header
from lumbre.registry.add import beside, named
from lumbre.registry.describe import Description, described, manifest_of
from lumbre.registry.scan import Found, trouble
from lumbre.words import Sentence

Sum = Callable[[Path], str]


@dataclass(frozen=True, slots=True)
class Row:
    """One model on this machine, wherever its bytes lie."""

    found: Found
    model: Description | None = None
    """None: it cannot be used."""
    also: tuple[Found, ...] = ()
    """The same bytes elsewhere."""
    known: str | None = None
    """The id of the model that has these bytes already."""
    trouble: Sentence | None = None

    @property
    def is_new(self) -> bool:
        return self.model is not None and self.known is None

    @property
    def size_bytes(self) -> int:
        if self.model is not None:
            return self.model.size_bytes
        try:
            return self.found.path.stat().st_size if self.found.path.is_file() else 0
        except OSError:
            return 0


@dataclass(slots=True)
class Known:
    """The bytes that manifests name already, by checksum and by place."""

    sums: dict[str, str] = field(default_factory=dict)
    places: dict[tuple[int, int], str] = field(default_factory=dict)

    @classmethod
    def of(cls, models: Iterable[tuple[Manifest, Path | None]]) -> "Known":
        """Models with the place of their main file, where they have one here."""
        known = cls()
        for manifest, path in models:
            if manifest.checksum_sha256:
                known.sums.setdefault(manifest.checksum_sha256, manifest.id)
            if path is not None and (place := _place(path)):
                known.places.setdefault(place, manifest.id)
        return known


def survey(finds: Iterable[Found], known: Known) -> Iterator[Row]:
    """Each model once, in the order it was found, then what cannot be used.

    Only headers are read. Equal bytes are known as such by their checksum where stores
    name it, and by being one file.
    """
    rows: list[Row] = []
    at: dict[object, int] = {}
    troubled: list[Row] = []
    for item in finds:
        if item.trouble is not None:
            troubled.append(Row(item, trouble=item.trouble))
            continue
        place = _place(item.path)
        keys = [key for key in (item.sha256, place) if key is not None]
        same = next((at[key] for key in keys if key in at), None)
        if same is not None:
            rows[same] = replace(rows[same], also=(*rows[same].also, item))
            at.update(dict.fromkeys(keys, same))
            continue
        row = _described(item)
        if row.model is None:
            troubled.append(row)
            continue
        at.update(dict.fromkeys(keys, len(rows)))
        by_sum = known.sums.get(item.sha256 or "")
        rows.append(replace(row, known=by_sum or known.places.get(place or (0, 0))))
    yield from rows
    yield from troubled


def manifest_for(row: Row, taken: Sequence[str], sum_of: Sum) -> Manifest:
    """The manifest of a model that was found; `sum_of` reads what no store has summed.

    Raises:
        BadWeights: a name that is no text, a second file that is not what it should be.
        BadManifest: a rule is broken.
        HomeNotUsable: a file cannot be read.
    """
    assert row.model is not None
    path = named(row.found.path)
    sha256 = row.found.sha256 or sum_of(path)
    files = [WeightsFile(path=str(path), sha256=sha256, size_bytes=row.model.size_bytes)]
    sources = [Source(uri=path.as_uri())]
    sources += [Source(uri=named(other.path).as_uri()) for other in row.also]
    for other in row.found.others:
        place = named(other.path)
        files.append(beside(place, other.part, other.sha256 or sum_of(place)))
        sources.append(Source(uri=place.as_uri(), file=str(place)))
    wanted = row.found.suggested_id or row.model.id
    return manifest_of(
        row.model,
        files,
        sources,
        path,
        model_id=_free(wanted, row.model.quant.lower(), taken),
        license=row.found.license,
    )


def _described(item: Found) -> Row:
    try:
        path = named(item.path)
        header = read_header(path)
        return Row(item, model=described(header, path))
    except (BadWeights, WrongPart) as error:
        reason = error.facts["reason"]
        told = reason if isinstance(reason, Sentence) else trouble("broken", why=str(reason))
    except SplitWeights as error:
        told = trouble("split", pieces=error.facts["pieces"])
    except NoChatTemplate:
        told = trouble("no_template")
    except (CannotDo, HomeNotUsable) as error:
        told = trouble("broken", why=_words(error))
    return Row(item, trouble=told)


def _free(wanted: str, quant: str, taken: Sequence[str]) -> str:
    if wanted not in taken:
        return wanted
    if quant not in wanted and (named_by_quant := f"{wanted}-{quant}") not in taken:
        return named_by_quant
    return next(name for n in range(2, len(taken) + 3) if (name := f"{wanted}-{n}") not in taken)


def _place(path: Path) -> tuple[int, int] | None:
    try:
        facts = path.stat()
    except (OSError, ValueError):
        return None
    return facts.st_dev, facts.st_ino


def _words(error: LumbreError) -> str:
    return error.message()
