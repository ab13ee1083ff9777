"""What an Ollama registry says of a model: its parts, each known by its checksum.

Source: the registry's answers are manifests of the Docker registry protocol (version 2,
schema 2); the kinds of parts are the media types in server/images.go and
server/model.go of github.com/ollama/ollama, the token of server/auth.go is asked for
without a signature, as a public one.
"""

import re
import urllib.error
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from lumbre.registry.reason import failed
from lumbre.registry.sources import Patience, Places
from lumbre.registry.sources._dial import may_go_on
from lumbre.registry.sources._web import Ask, answered, json_of, refusal

_PART = r"[A-Za-z0-9_][\w.-]{0,79}"
_URI = re.compile(
    rf"ollama:(?:(?P<space>{_PART})/)?(?P<name>{_PART})(?::(?P<tag>{_PART}))?(?:#(?P<kind>[a-z]+))?",
    re.ASCII,
)
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_KIND = "application/vnd.ollama.image."
_ACCEPT = "application/vnd.docker.distribution.manifest.v2+json"
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_MOST_LAYERS = 1000


@dataclass(frozen=True, slots=True)
class Address:
    """What an `ollama:[SPACE/]NAME[:TAG][#KIND]` address names."""

    uri: str
    space: str
    name: str
    tag: str
    kind: str
    """Which part: model, projector, adapter ..."""

    @property
    def model(self) -> str:
        """As Ollama writes it."""
        return f"{'' if self.space == 'library' else f'{self.space}/'}{self.name}:{self.tag}"

    def part(self, kind: str) -> str:
        """The address of another part of the model."""
        return f"ollama:{self.model}" + ("" if kind == "model" else f"#{kind}")


@dataclass(frozen=True, slots=True)
class Layer:
    """One part of a model."""

    kind: str
    """model, projector, adapter, template, params, license, system ..."""
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Release:
    """A model at a tag."""

    layers: tuple[Layer, ...]
    key: str
    """The Authorization header its parts are asked for with; empty: none."""

    def of(self, kind: str) -> tuple[Layer, ...]:
        return tuple(layer for layer in self.layers if layer.kind == kind)


def address(uri: str) -> Address:
    """The parts of an `ollama:` address.

    Raises:
        SourceFailed: not such an address.
    """
    match = _URI.fullmatch(uri)
    if match is None:
        raise failed(uri, "bad_uri")
    space, name, tag, kind = match.group("space", "name", "tag", "kind")
    return Address(uri, space or "library", name, tag or "latest", kind or "model")


def release_of(wanted: Address, places: Places, patience: Patience) -> Release:
    """The parts of a model.

    Raises:
        SourceFailed: the registry has no such model, or an answer nobody understands.
        Cut: it does not answer now.
    """
    url = f"{_root(wanted, places)}/manifests/{wanted.tag}"
    key = ""
    while True:
        try:
            response = answered(wanted.uri, Ask(url, key=key, accept=_ACCEPT), patience)
        except urllib.error.HTTPError as error:
            challenge = error.headers.get("WWW-Authenticate", "")
            if error.code == HTTPStatus.UNAUTHORIZED and challenge.startswith("Bearer") and not key:
                error.close()
                key = _key(wanted, url, challenge, patience)
                continue
            if error.code in (HTTPStatus.NOT_FOUND, HTTPStatus.UNAUTHORIZED):
                error.close()
                raise failed(wanted.uri, "no_model", model=wanted.model) from error
            raise refusal(wanted.uri, error) from error
        layers = layers_of(json_of(wanted.uri, response, patience))
        if layers is None:
            raise failed(wanted.uri, "garbled", detail=_ACCEPT)
        return Release(layers, key)


def blob(wanted: Address, release: Release, sha256: str, places: Places) -> Ask:
    """Where the bytes of a part are."""
    tag = f"sha256:{sha256}"
    return Ask(f"{_root(wanted, places)}/blobs/{tag}", key=release.key, tag=tag)


def layers_of(manifest: object) -> tuple[Layer, ...] | None:
    """The parts a manifest names; None where it is no manifest."""
    found = manifest.get("layers") if isinstance(manifest, dict) else None
    if not isinstance(found, list) or not 0 < len(found) <= _MOST_LAYERS:
        return None
    layers = []
    for layer in found:
        match layer:
            case {"mediaType": str(media), "digest": str(digest), "size": int(size_bytes)}:
                match_ = _DIGEST.fullmatch(digest)
                if match_ is None or size_bytes < 0:
                    return None
                layers.append(Layer(media.removeprefix(_KIND), match_[1], size_bytes))
            case _:
                return None
    return tuple(layers)


def _root(wanted: Address, places: Places) -> str:
    return f"{places.ollama.rstrip('/')}/v2/{wanted.space}/{wanted.name}"


def _key(wanted: Address, url: str, challenge: str, patience: Patience) -> str:
    """A token for anybody.

    Source: distribution.github.io/distribution/spec/auth/token.
    """
    said = dict(_CHALLENGE.findall(challenge))
    realm = said.pop("realm", "")
    if not may_go_on(url, realm):
        raise failed(wanted.uri, "redirected", where=realm)
    asked = {name: said[name] for name in ("service", "scope") if name in said}
    query = urllib.parse.urlencode(asked)
    try:
        response = answered(wanted.uri, Ask(f"{realm}?{query}"), patience)
    except urllib.error.HTTPError as error:
        raise refusal(wanted.uri, error) from error
    found = json_of(wanted.uri, response, patience)
    token = None
    if isinstance(found, Mapping):
        token = found.get("token") or found.get("access_token")
    if not isinstance(token, str) or not (token.isascii() and token.isprintable()):
        raise failed(wanted.uri, "garbled", detail="token")
    return f"Bearer {token}"
