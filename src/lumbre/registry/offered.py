"""What a publisher offers under an address, told from afar: a manifest before any download."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from lumbre.core.errors import NotOffered, SourceFailed, SplitWeights, WrongPart
from lumbre.core.model import Manifest, Part, Role, Source, WeightsFile
from lumbre.formats.gguf import Header, header_from
from lumbre.registry.describe import (
    described,
    first_line,
    is_projector,
    manifest_of,
    pieces_of,
    slug,
)
from lumbre.registry.reason import Why, failed, reason_of
from lumbre.registry.sources import Patience, Places, _hub, _library
from lumbre.registry.sources._distant import Distant
from lumbre.registry.sources._web import Cut
from lumbre.words import Sentence

_HUB_PAGE = re.compile(
    r"https?://(?:www\.)?(?:huggingface\.co|hf\.co)/(?P<repository>[^/\s?#]+/[^/\s?#]+)"
    r"(?:/(?:blob|resolve|tree)/(?P<revision>[^/\s?#]+)(?:/(?P<file>[^\s?#]+))?)?/?(?:[?#].*)?"
)
_LIBRARY_PAGE = re.compile(
    r"https?://(?:www\.)?ollama\.com/(?:library/)?(?P<model>[^\s?#]+?)/?(?:[?#].*)?"
)
_THEIRS: tuple[Why, ...] = (
    *("bad_uri", "gated", "token_refused", "no_repository", "no_revision", "not_there"),
    *("no_sum", "no_weights", "no_model", "no_layer", "not_https"),
)
"""Reasons that another try does not change: the person has to."""
_LICENSE_BYTES = 4096
_MMPROJ = "mmproj"
"""Source: llama.cpp, common/download.cpp looks for a projector by this in its name."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One file of a publisher."""

    uri: str
    """Where a pull will fetch it, at the revision it was looked at."""
    name: str
    """The file's own."""
    path: str
    """Where it will lie in the weights folder."""
    sha256: str
    revision: str
    license: str
    terms: str
    """The page where terms have to be accepted; empty: none."""
    suggested_id: str
    distant: Distant
    part: Part = "weights"

    def file(self) -> WeightsFile:
        size_bytes = self.distant.size_bytes
        return WeightsFile(
            path=self.path, sha256=self.sha256, size_bytes=size_bytes, part=self.part
        )


@dataclass(frozen=True, slots=True)
class Offered:
    """A manifest that is not written yet, and what its publisher wants."""

    manifest: Manifest
    terms: str


def address_of(text: str) -> str | None:
    """The `hf:` or `ollama:` address that a person means, also by a page; None: a file."""
    if text.startswith(("hf:", "ollama:")):
        return text
    if match := _HUB_PAGE.fullmatch(text):
        file, revision = unquote(match["file"] or ""), match["revision"]
        at = f"@{revision}" if revision and revision != "main" else ""
        return f"hf:{match['repository']}{f'/{file}' if file else ''}{at}"
    if match := _LIBRARY_PAGE.fullmatch(text):
        return f"ollama:{unquote(match['model'])}"
    return None


def choices(uri: str, patience: Patience, places: Places) -> tuple[_hub.Listed, ...]:
    """The models of a repository that are one file; empty: the address names one already.

    Raises:
        NotOffered: there is no such repository, or no GGUF file in it.
        SourceFailed: the hub does not answer.
    """
    if not uri.startswith("hf:"):
        return ()
    with _border():
        wanted = _hub.address(uri)
        if wanted.file:
            return ()
        found = _hub.repository_of(wanted, places, patience)
        weights = [file for file in found.files if file.name.lower().endswith(".gguf")]
        models = [file for file in weights if _MMPROJ not in file.name.lower()]
        whole = tuple(file for file in models if pieces_of(file.name) == 1)
        if models and not whole:
            name = PurePosixPath(models[0].name).name
            raise SplitWeights(path=name, pieces=pieces_of(name))
        if not whole:
            raise failed(uri, "no_weights", repository=wanted.repository)
        return whole


def offered(
    uri: str,
    role: Role | None,
    patience: Patience,
    places: Places,
    *,
    model_id: str | None = None,
    projector: str | None = None,
    taken: Mapping[str, str] | None = None,
) -> Offered:
    """The manifest of a model that lies with its publisher; only its header is read.

    `taken`: the checksums of files by their place in the weights folder, so that two models
    do not claim one place.

    Raises:
        NotOffered: there is no such file, or not for everybody.
        SourceFailed: its publisher does not answer.
        BadWeights, WrongPart, SplitWeights, NoChatTemplate, CannotDo, BadManifest: as for a file.
    """
    with _border():
        offers = _offers(uri, patience, places)
        if projector is not None:
            [eyes, *_] = _offers(projector, patience, places, part="projector")
            offers = [*offers, eyes]
        offers = [_apart(offer, taken or {}) for offer in offers]
        main, *others = offers
        if (pieces := pieces_of(main.name)) > 1:
            raise SplitWeights(path=main.name, pieces=pieces)
        model = described(_header(main), Path(main.name), role)
        for other in others:
            _check_part(other)
    sources = [Source(uri=main.uri)]
    sources += [Source(uri=other.uri, file=other.path) for other in others]
    manifest = manifest_of(
        model,
        [offer.file() for offer in offers],
        sources,
        Path(main.name),
        model_id=model_id or main.suggested_id or None,
        revision=main.revision,
        license=main.license,
    )
    return Offered(manifest, main.terms)


def places_taken(models: Iterable[Manifest]) -> dict[str, str]:
    """Checksum by place, for every file that manifests name."""
    return {file.path: file.sha256 for model in models for file in model.weights}


def _offers(uri: str, patience: Patience, places: Places, part: Part = "weights") -> list[Offer]:
    """The file an address names; of a whole model, what belongs to it behind it."""
    if uri.startswith("ollama:"):
        return _of_library(_library.address(uri), patience, places)
    return [_of_hub(_hub.address(uri), patience, places, part)]


def _of_hub(wanted: _hub.Address, patience: Patience, places: Places, part: Part) -> Offer:
    uri, name = wanted.uri, PurePosixPath(wanted.file).name
    if not wanted.file:
        raise failed(uri, "bad_uri")
    about = _hub.repository_of(wanted, places, patience)
    if wanted.file not in [file.name for file in about.files]:
        raise failed(uri, "not_there", repository=wanted.repository, file=wanted.file)
    if (pieces := pieces_of(name)) > 1:
        raise SplitWeights(path=name, pieces=pieces)
    seen = _hub.file_of(wanted, places, patience)
    if seen.sha256 is None or seen.size_bytes is None:
        raise failed(uri, "no_sum", file=wanted.file)
    revision = seen.revision or wanted.revision
    at = f"@{revision}" if revision else ""
    return Offer(
        uri=f"hf:{wanted.repository}/{wanted.file}{at}",
        name=name,
        path=f"{wanted.repository}/{wanted.file}",
        sha256=seen.sha256,
        revision=revision or "",
        license=about.license,
        terms=f"{places.hub}/{wanted.repository}" if about.gated else "",
        suggested_id="",
        distant=Distant(uri, seen.ask, seen.size_bytes, patience),
        part=part,
    )


def _of_library(wanted: _library.Address, patience: Patience, places: Places) -> list[Offer]:
    release = _library.release_of(wanted, places, patience)
    if not release.of("model"):
        raise failed(wanted.uri, "no_layer", model=wanted.model, kind="model")
    parts: tuple[tuple[str, Part], ...] = (
        ("model", "weights"),
        ("projector", "projector"),
        ("adapter", "adapter"),
    )
    found = [(kind, part, layer) for kind, part in parts for layer in release.of(kind)[:1]]

    def distant(layer: _library.Layer) -> Distant:
        ask = _library.blob(wanted, release, layer.sha256, places)
        return Distant(wanted.uri, ask, layer.size_bytes, patience)

    told = ""
    for layer in release.of("license")[:1]:
        told = first_line(distant(layer).read(0, _LICENSE_BYTES).decode(errors="replace"))
    ending = {"model": ".gguf", "projector": ".projector.gguf", "adapter": ".adapter.gguf"}
    folder = f"ollama/{wanted.space}/{wanted.name}"
    return [
        Offer(
            uri=wanted.part(kind),
            name=f"{wanted.model}{'' if kind == 'model' else f'#{kind}'}",
            path=f"{folder}/{wanted.tag}{ending[kind]}",
            sha256=layer.sha256,
            revision=wanted.tag,
            license=told,
            terms="",
            suggested_id=slug(
                wanted.name if wanted.tag == "latest" else f"{wanted.name}-{wanted.tag}"
            ),
            distant=distant(layer),
            part=part,
        )
        for kind, part, layer in found
    ]


def _header(offer: Offer) -> Header:
    return header_from(offer.distant, offer.name)


def _check_part(offer: Offer) -> None:
    header = _header(offer)
    if offer.part == "projector" and not is_projector(header):
        raise WrongPart(path=offer.name, reason=Sentence("models.no_projector"))


def _apart(offer: Offer, taken: Mapping[str, str]) -> Offer:
    """Not in the place of another model's bytes."""
    if taken.get(offer.path, offer.sha256) == offer.sha256:
        return offer
    path = PurePosixPath(offer.path)
    return replace(offer, path=str(path.with_name(f"{offer.sha256[:12]}-{path.name}")))


@contextmanager
def _border() -> Iterator[None]:
    """What sources raise, as the errors of a command."""
    try:
        yield
    except Cut as error:
        raise error.failure from error
    except SourceFailed as error:
        reason = reason_of(error)
        if reason.code in _THEIRS:
            raise NotOffered(source=error.facts["source"], reason=reason) from error
        raise
