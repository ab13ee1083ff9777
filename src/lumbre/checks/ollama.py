"""Ollama: whether it is here and answers. Nothing of lumbre needs it."""

import http.client
import json
import shutil
from collections.abc import Iterator, Mapping

from lumbre.checks import Finding, Scope, found

PLACE = 170
_PORT = 11434
"""Source: Ollama's FAQ, OLLAMA_HOST."""
_LOOPBACK = ("", "localhost", "127.0.0.1", "0.0.0.0", "::1", "[::1]")
_PATIENCE_S = 0.5
_MOST_BYTES = 4096


def check(scope: Scope) -> Iterator[Finding]:
    path = shutil.which("ollama", path=scope.environment.get("PATH", ""))
    port = _port(scope.environment)
    version = None if port is None else _version(port)
    if version is not None:
        yield found("ok", "ollama.runs", version=version, port=port)
    elif path:
        yield found("ok", "ollama.installed", path=path)
    else:
        yield found("ok", "ollama.none")


def _port(environment: Mapping[str, str]) -> int | None:
    """Where it listens on this machine; None where it is said to be on another: nobody asks."""
    said = environment.get("OLLAMA_HOST", "").strip().partition("//")
    host, _, port = (said[2] or said[0]).rstrip("/").rpartition(":")
    if not port.isdecimal():
        host, port = (said[2] or said[0]).rstrip("/"), str(_PORT)
    return int(port) if host in _LOOPBACK and 0 < int(port) < 65536 else None


def _version(port: int) -> str | None:
    """What answers there, where it is Ollama. Source: Ollama's docs/api.md, Version."""
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_S)
    try:
        asked.request("GET", "/api/version")
        told = json.loads(asked.getresponse().read(_MOST_BYTES))
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        asked.close()
    version = told.get("version") if isinstance(told, dict) else None
    return version if isinstance(version, str) else None
