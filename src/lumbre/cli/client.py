"""Speak to a household over its socket: a question in, events out.

Standard library only: a command that attaches to a warm household has little else to load.
"""

import http.client
import json
import socket
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lumbre.core.errors import HouseholdDied, HouseholdFailed
from lumbre.server.errors import from_json

_NOBODY = (
    ConnectionRefusedError,
    ConnectionResetError,
    BrokenPipeError,
    FileNotFoundError,
    http.client.RemoteDisconnected,
)
"""Before the first byte of an answer: whoever served has just ended, and nothing was begun."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a household is, and what to say if it dies."""

    socket: Path
    pid: int
    log: Path


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("lumbre")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(str(self._path))


class Client:
    """Speaks to one household; `find_again` finds its successor if it has just ended."""

    def __init__(self, address: Address, find_again: Callable[[], Address] | None = None) -> None:
        self.address = address
        self._find_again = find_again

    def get(self, target: str) -> Any:
        """The JSON a GET answers with."""
        return self._once("GET", target, None)

    def post(self, target: str, body: Mapping[str, object] | None = None) -> Any:
        """The JSON a POST answers with."""
        return self._once("POST", target, body or {})

    def delete(self, target: str, body: Mapping[str, object]) -> Any:
        """The JSON a DELETE answers with."""
        return self._once("DELETE", target, body)

    def stream(self, target: str, body: Mapping[str, object]) -> Generator[dict[str, Any]]:
        """The events a POST answers with. Closing the iterator, or ctrl-C, ends the work there.

        Raises:
            LumbreError: the one the household sent.
            HouseholdDied: it went away before the last event.
        """
        finished = False
        connection, response = self._ask("POST", target, body)
        try:
            for line in response:
                event = json.loads(line)
                self._raise(event)
                finished = event["event"] == "done"
                yield event
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise self._died() from error
        finally:
            connection.close()
        if not finished:
            raise self._died()

    def _once(self, method: str, target: str, body: Mapping[str, object] | None) -> Any:
        connection, response = self._ask(method, target, body)
        try:
            return json.loads(response.read())
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise self._died() from error
        finally:
            connection.close()

    def _ask(
        self, method: str, target: str, body: Mapping[str, object] | None
    ) -> tuple[_Connection, http.client.HTTPResponse]:
        """A connection and the answer begun on it; from a successor, if this one just ended."""
        content = None if body is None else json.dumps(body).encode()
        while True:
            connection = _Connection(self.address.socket)
            try:
                connection.request(method, target, content, {"Content-Type": "application/json"})
                response = connection.getresponse()
                if response.status >= 400:
                    self._raise(json.loads(response.read()))
                    raise self._failed(f"HTTP {response.status}")
            except _NOBODY as error:
                connection.close()
                if self._find_again is None:
                    raise self._died() from error
                find_again, self._find_again = self._find_again, None
                self.address = find_again()
            except (OSError, ValueError, http.client.HTTPException) as error:
                connection.close()
                raise self._died() from error
            except BaseException:
                connection.close()
                raise
            else:
                return connection, response

    def _raise(self, event: dict[str, Any]) -> None:
        if "error" in event:
            raise from_json(event) or self._failed(str(event["error"]))

    def _died(self) -> HouseholdDied:
        return HouseholdDied(pid=self.address.pid, log=str(self.address.log))

    def _failed(self, reason: str) -> HouseholdFailed:
        return HouseholdFailed(reason=reason, log=str(self.address.log))
