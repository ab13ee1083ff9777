"""Servers that speak what the Hugging Face hub and the Ollama registry speak, on loopback.

Source of the hub's answers: huggingface_hub, file_download.py and utils/_http.py (headers
X-Repo-Commit, X-Linked-Size, X-Linked-Etag, X-Error-Code), hf_api.py (model info). Source
of the registry's: server/images.go and server/auth.go of github.com/ollama/ollama.
"""

import functools
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.registry.places import Quiet, Site, plain_website, served, sha256

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """One repository, and how the hub misbehaves."""

    files: dict[str, bytes]
    repository: str = "someone/some-model-GGUF"
    renamed_from: str = ""
    """An older name, sent on by a relative redirect."""
    license: object = "apache-2.0"
    gated: object = False
    token: str = ""
    """Who has it gets in; empty: everybody."""
    commit: str = COMMIT
    statuses: list[tuple[int, Mapping[str, str]]] = field(default_factory=list)
    """What the first, second ... request gets instead of an answer."""
    linked: bool = True
    """Files are large ones, known by their sha256 and lying on another host."""
    lies: dict[str, str] = field(default_factory=dict)
    """Headers that say something else than is true."""
    info: object = None
    """What the description of the repository is instead."""
    store: Site = field(default_factory=lambda: Site(b""))
    """The other host."""
    moved_to: str = ""
    """Where the other host is instead."""
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    """Method, path and Authorization of every request."""


class _Hub(Quiet):
    def __init__(self, hub: Hub, where: str, *args: Any) -> None:
        self.hub = hub
        self.where = where
        super().__init__(*args)

    def do_HEAD(self) -> None:  # noqa: N802
        self._answer()

    def do_GET(self) -> None:  # noqa: N802
        self._answer()

    def _answer(self) -> None:
        hub, self.close_connection = self.hub, True
        path = unquote(urlsplit(self.path).path)
        key = self.headers.get("Authorization")
        hub.asked.append((self.command, path, key))
        if hub.statuses:
            status, headers = hub.statuses.pop(0)
            if status:
                return self._refuse(status, headers)
        if hub.renamed_from and hub.renamed_from in path:
            onward = path.replace(hub.renamed_from, hub.repository)
            return self._head(307, {"Location": onward})
        if hub.token and key != f"Bearer {hub.token}":
            return self._refuse(401, {"X-Error-Code": "GatedRepo"})
        if path.startswith("/api/models/"):
            return self._info(path.removeprefix("/api/models/"))
        return self._resolve(path.removeprefix("/"))

    def _info(self, path: str) -> None:
        hub = self.hub
        name, _, revision = path.partition("/revision/")
        if name != hub.repository:
            return self._refuse(401, {"X-Error-Code": "RepoNotFound"})
        if revision not in ("", "main", hub.commit):
            return self._refuse(404, {"X-Error-Code": "RevisionNotFound"})
        assert parse_qs(urlsplit(self.path).query)["blobs"] == ["true"]
        siblings = [
            {
                "rfilename": name,
                "size": len(content),
                "blobId": "0" * 40,
                "lfs": {"sha256": sha256(content), "size": len(content), "pointerSize": 135}
                if hub.linked
                else None,
            }
            for name, content in hub.files.items()
        ]
        info = hub.info or {
            "id": hub.repository,
            "sha": hub.commit,
            "gated": hub.gated,
            "cardData": {"license": hub.license},
            "siblings": siblings,
        }
        body = info if isinstance(info, bytes) else json.dumps(info).encode()
        return self.send_body(body, kind="application/json")

    def _resolve(self, path: str) -> None:
        hub = self.hub
        name, _, rest = path.partition("/resolve/")
        revision, _, file = rest.partition("/")
        if name != hub.repository:
            return self._refuse(401, {"X-Error-Code": "RepoNotFound"})
        if revision not in ("main", hub.commit):
            return self._refuse(404, {"X-Error-Code": "RevisionNotFound"})
        if file not in hub.files:
            return self._refuse(404, {"X-Error-Code": "EntryNotFound"})
        content = hub.files[file]
        about = {"X-Repo-Commit": hub.commit}
        if not hub.linked:
            about |= {"ETag": f'"{"a" * 40}"', "Content-Length": str(len(content))}
            self._head(200, about | hub.lies)
            if self.command == "GET":
                self.wfile.write(content)
            return None
        hub.store.content = content
        about |= {
            "X-Linked-Size": str(len(content)),
            "X-Linked-Etag": f'"{sha256(content)}"',
            "Location": (hub.moved_to or self.where) + "?signature=secret",
        }
        return self._head(302, about | hub.lies)

    def _refuse(self, status: int, headers: Mapping[str, str]) -> None:
        self._head(status, {"X-Error-Message": "no", **headers})

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": "0", "Connection": "close", **headers}.items():
            self.send_header(name, value)
        self.end_headers()


@contextmanager
def hub_of(hub: Hub) -> Iterator[str]:
    """Serve a hub whose files lie on another port; gives its endpoint."""
    with plain_website(hub.store) as where, served(functools.partial(_Hub, hub, where)) as port:
        yield f"http://127.0.0.1:{port}"


@dataclass
class Library:
    """One model of an Ollama registry, and how the registry misbehaves."""

    parts: list[tuple[str, bytes]]
    """Kind and content: model, projector, license ..."""
    name: str = "library/tiny:1m"
    old: list[bytes] = field(default_factory=list)
    """Parts of a former state of the tag, still to be had by their checksum."""
    token: str = ""
    """What the realm hands out and everything asks for; empty: nothing is asked for."""
    realm: str = ""
    """Where tokens are said to be instead."""
    manifest: bytes | None = None
    """What the manifest is instead."""
    store: Site = field(default_factory=lambda: Site(b""))
    """The other host, where the parts lie."""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and Authorization of every request."""


class _Library(Quiet):
    def __init__(self, library: Library, where: str, *args: Any) -> None:
        self.library = library
        self.where = where
        super().__init__(*args)

    def do_GET(self) -> None:  # noqa: N802
        library, self.close_connection = self.library, True
        key = self.headers.get("Authorization")
        library.asked.append((self.path, key))
        if self.path.startswith("/token"):
            return self.send_body(json.dumps({"token": library.token}).encode())
        if library.token and key != f"Bearer {library.token}":
            return self._challenge()
        name, _, tag = library.name.partition(":")
        if self.path == f"/v2/{name}/manifests/{tag}":
            accepted = "application/vnd.docker.distribution.manifest.v2+json"
            assert self.headers["Accept"] == accepted
            return self.send_body(library.manifest or self._manifest(), kind=accepted)
        digest = self.path.removeprefix(f"/v2/{name}/blobs/sha256:")
        contents = [content for _, content in library.parts] + library.old
        found = next((content for content in contents if sha256(content) == digest), None)
        if found is None:
            return self.send_body(b'{"errors": [{"code": "NOT_FOUND"}]}', 404)
        library.store.content = found
        self.send_response(307)
        self.send_header("Location", f"{self.where}?signature=secret")
        self.send_header("Content-Length", "0")
        return self.end_headers()

    def _challenge(self) -> None:
        realm = self.library.realm or f"http://{self.headers['Host']}/token"
        self.send_response(401)
        said = f'Bearer realm="{realm}",service="registry",scope="repository:tiny:pull"'
        self.send_header("WWW-Authenticate", said)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _manifest(self) -> bytes:
        return json.dumps(manifest_of(self.library.parts)).encode()


def manifest_of(parts: list[tuple[str, bytes]]) -> dict[str, object]:
    """What Ollama keeps and hands out for a model of these parts."""
    return {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "digest": f"sha256:{sha256(b'{}')}",
            "size": 2,
        },
        "layers": [
            {
                "mediaType": f"application/vnd.ollama.image.{kind}",
                "digest": f"sha256:{sha256(content)}",
                "size": len(content),
            }
            for kind, content in parts
        ],
    }


@contextmanager
def library_of(library: Library) -> Iterator[str]:
    """Serve an Ollama registry whose parts lie on another port; gives its endpoint."""
    with (
        plain_website(library.store) as where,
        served(functools.partial(_Library, library, where)) as port,
    ):
        yield f"http://127.0.0.1:{port}"
