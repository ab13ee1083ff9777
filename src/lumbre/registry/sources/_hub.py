"""What the Hugging Face hub says of a file or a repository, before a byte is fetched.

The library huggingface_hub asks, and knows the hub's errors; it is imported when first
needed, told which endpoint and which token to use, and given no other: its own token file
is never read, nothing is reported, and no connection outlives the question.
"""

import re
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lumbre.core.errors import SourceFailed
from lumbre.registry.reason import failed
from lumbre.registry.sources import Patience, Places
from lumbre.registry.sources._dial import dialled, is_this_machine, may_ask
from lumbre.registry.sources._web import Ask, Cut, asking, turned_away

if TYPE_CHECKING:
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

_URI = re.compile(
    r"hf:(?P<repository>[A-Za-z0-9][\w.-]*/[\w.-]+)(?P<file>/[^\0]*?)?(?:@(?P<revision>[^@\0]+))?",
    re.ASCII,
)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_AGENT = {"user-agent": "lumbre"}


@dataclass(frozen=True, slots=True)
class Address:
    """What an `hf:` address names."""

    uri: str
    repository: str
    file: str
    """Empty: the repository as a whole."""
    revision: str | None

    def __str__(self) -> str:
        name = f"hf:{self.repository}/{self.file}".rstrip("/")
        return f"{name}@{self.revision}" if self.revision else name


@dataclass(frozen=True, slots=True)
class HubFile:
    """One file as the hub describes it."""

    ask: Ask
    """Where its bytes are; the hub sends whoever asks on to another host."""
    revision: str | None
    """The commit it was found in."""
    size_bytes: int | None
    sha256: str | None
    """Of large files; small ones are known by a git hash."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One file of a repository."""

    name: str
    size_bytes: int | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository as the hub describes it."""

    name: str
    revision: str | None
    license: str
    gated: bool
    """Whether its terms have to be accepted first."""
    files: tuple[Listed, ...]


def address(uri: str) -> Address:
    """The parts of `hf:OWNER/NAME[/PATH][@REVISION]`.

    Raises:
        SourceFailed: not such an address.
    """
    match = _URI.fullmatch(uri)
    if match is None:
        raise failed(uri, "bad_uri")
    repository, file = match["repository"], (match["file"] or "")[1:]
    climbs = {"..", "."} & {*repository.split("/"), *file.split("/")}
    if climbs or "--" in repository or ".." in repository or "//" in f"/{file}":
        raise failed(uri, "bad_uri")
    return Address(uri, repository, file, match["revision"])


def file_of(wanted: Address, places: Places, patience: Patience) -> HubFile:
    """What the hub says of one file.

    Raises:
        SourceFailed: it is not there, or not for us.
        Cut: the hub does not answer now.
    """
    with _talking(wanted, places, patience):
        from huggingface_hub import get_hf_file_metadata, hf_hub_url

        def url(revision: str | None) -> str:
            return hf_hub_url(
                wanted.repository, wanted.file, revision=revision, endpoint=places.hub
            )

        seen = get_hf_file_metadata(
            url(wanted.revision),
            token=places.hub_token or False,
            timeout=2 * patience.connect_s,
            headers=_AGENT,
            endpoint=places.hub,
        )
        tag = seen.etag or ""
        # The bytes are asked for by the commit they were described in: a push in between
        # changes nothing.
        ask = Ask(url(seen.commit_hash or wanted.revision), key=_key(places), tag=tag)
    sha256 = tag if _SHA256.fullmatch(tag) else None
    return HubFile(ask, seen.commit_hash, seen.size, sha256)


def repository_of(wanted: Address, places: Places, patience: Patience) -> Repository:
    """What the hub says of a repository, with the sizes of its files.

    Raises:
        SourceFailed, Cut: as `file_of`.
    """
    with _talking(wanted, places, patience):
        from huggingface_hub import HfApi

        info = HfApi(endpoint=places.hub, token=False, headers=_AGENT).model_info(
            wanted.repository,
            revision=wanted.revision,
            files_metadata=True,
            timeout=2 * patience.connect_s,
            token=places.hub_token or False,
        )
        files = tuple(
            Listed(
                str(file.rfilename),
                file.size if isinstance(file.size, int) else None,
                file.lfs.sha256 if file.lfs else None,
            )
            for file in info.siblings or ()
        )
        said = info.card_data.get("license") if info.card_data else None
        license_name = said if isinstance(said, str) else ""
        return Repository(wanted.repository, info.sha, license_name, bool(info.gated), files)


def _key(places: Places) -> str:
    return f"Bearer {places.hub_token}" if places.hub_token else ""


@contextmanager
def _talking(wanted: Address, places: Places, patience: Patience) -> Iterator[None]:
    """Let the library ask, and put what it raises into our words."""
    import httpx2
    from huggingface_hub import close_session, constants, errors, set_client_factory

    # Otherwise it asks huggingface.co, whatever the endpoint, which programs of this
    # machine count as agents, to report them. Source: utils/_detect_agent.py of it.
    constants.HF_HUB_DISABLE_TELEMETRY = True
    uri = wanted.uri
    if not may_ask(places.hub):
        raise failed(uri, "not_https", where=places.hub)
    if constants.HF_HUB_OFFLINE:  # a wish of the person's that our own client would not hear
        raise failed(uri, "no_connection", detail="HF_HUB_OFFLINE")
    _reach(uri, places, patience)
    set_client_factory(lambda: _client(uri, places))
    try:
        yield
    except errors.HfHubHTTPError as error:
        raise _refused(error, wanted, places) from error
    except httpx2.TimeoutException as error:
        raise Cut(failed(uri, "stalled", wait_s=2 * patience.connect_s)) from error
    except httpx2.HTTPError as error:
        raise Cut(failed(uri, "no_connection", detail=str(error))) from error
    except httpx2.InvalidURL as error:
        raise failed(uri, "bad_uri") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        # What the library does with an answer that is no description of a repository.
        raise failed(uri, "garbled", detail=str(error)[:200]) from error
    finally:
        close_session()


def _reach(uri: str, places: Places, patience: Patience) -> None:
    """Notice within seconds that nobody is there: the library waits for a name far longer."""
    if urllib.request.getproxies():
        return
    parts = urlsplit(places.hub)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    with asking(uri, patience):
        dialled((parts.hostname, port), patience.connect_s).close()


def _refused(error: "HfHubHTTPError", wanted: Address, places: Places) -> Cut | SourceFailed:
    from huggingface_hub import errors

    uri, repository, variable = wanted.uri, wanted.repository, places.hub_token_name
    match error:
        case errors.GatedRepoError():
            page = f"{places.hub}/{repository}"
            return failed(uri, "gated", page=page, variable=variable)
        case errors.RepositoryNotFoundError():
            return failed(uri, "no_repository", repository=repository, variable=variable)
        case errors.RevisionNotFoundError():
            return failed(uri, "no_revision", repository=repository, revision=wanted.revision)
        case errors.EntryNotFoundError():
            return failed(uri, "not_there", repository=repository, file=wanted.file)
    status = error.response.status_code
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN) and places.hub_token:
        return failed(uri, "token_refused", variable=variable)
    return turned_away(uri, status, error.response.headers.get("Retry-After"))


def _client(uri: str, places: Places) -> "httpx2.Client":
    import httpx2

    def refuse(request: "httpx2.Request") -> None:
        where = str(request.url.copy_with(query=None))
        if not may_ask(where):
            raise failed(uri, "redirected", where=where)

    at_home = is_this_machine(httpx2.URL(places.hub).host)
    hooks = {"request": [refuse]}
    return httpx2.Client(event_hooks=hooks, follow_redirects=True, trust_env=not at_home)
