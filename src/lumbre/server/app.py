"""The household over HTTP: requests in, events out. Decides nothing.

Work that takes time answers with one JSON event a line, the last one `done` or `error`.
A caller that leaves ends the work it asked for.
"""

import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from lumbre.core.errors import BadArguments, EngineRefused, LumbreError
from lumbre.server.asked import text as text_of
from lumbre.server.errors import as_json, headers_of, status_of
from lumbre.server.household import Household

_log = logging.getLogger(__name__)

Event = dict[str, Any]
Handler = Callable[[Request], Awaitable[Response]]


def make_app(household: Household, ready: Callable[[], None] = lambda: None) -> Starlette:
    """The application that answers for a household. `ready` is called once it does."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        ready()
        yield

    async def ask(request: Request) -> Response:
        body = await _body(request)
        return _events(household, household.ask(body))

    async def add(request: Request) -> Response:
        paths = _list((await _body(request)).get("paths"))
        return _events(household, household.documents.add(paths))

    async def listing(request: Request) -> Response:
        return JSONResponse(household.documents.listed(request.query_params.getlist("under")))

    async def remove(request: Request) -> Response:
        body = await _body(request)
        named = zip(_list(body.get("typed")), _list(body.get("paths")), strict=False)
        return JSONResponse(await household.documents.remove(list(named)))

    async def search(request: Request) -> Response:
        return JSONResponse(await household.documents.search(await _body(request)))

    async def searches(request: Request) -> Response:
        body = await _body(request)
        return _events(household, household.documents.searches(body))

    async def text(request: Request) -> Response:
        return JSONResponse(household.documents.text(await _body(request)))

    async def place(request: Request) -> Response:
        return JSONResponse(household.documents.place(await _body(request)))

    async def open_(request: Request) -> Response:
        body = await _body(request)
        models, insists = _list(body.get("models")), body.get("insists") is True
        opening = household.open(models, body.get("conversation"), insists=insists)
        return _events(household, opening)

    async def unload(request: Request) -> Response:
        return _events(household, household.models.unload(text_of(await _body(request), "model")))

    async def pin(request: Request) -> Response:
        body = await _body(request)
        is_pinned = body.get("is_pinned") is True
        return JSONResponse(household.models.pin(text_of(body, "model"), is_pinned=is_pinned))

    async def forget(request: Request) -> Response:
        return JSONResponse(await household.forget(await _body(request)))

    async def ps(_: Request) -> Response:
        return JSONResponse(await household.models.ps())

    async def top(_: Request) -> Response:
        return JSONResponse(await household.models.top())

    async def signal(request: Request) -> Response:
        return _events(household, household.signal(await _body(request)))

    async def signalled(request: Request) -> Response:
        return JSONResponse(household.signalled(dict(request.query_params)))

    async def stop(_: Request) -> Response:
        household.stop()
        return JSONResponse({"stopping": True})

    async def metrics(_: Request) -> Response:
        return Response(await household.metrics(), media_type="text/plain; version=0.0.4")

    routes: list[tuple[str, str, Handler]] = [
        ("POST", "/lumbre/ask", ask),
        ("POST", "/lumbre/docs", add),
        ("GET", "/lumbre/docs", listing),
        ("DELETE", "/lumbre/docs", remove),
        ("POST", "/lumbre/docs/search", search),
        ("POST", "/lumbre/docs/searches", searches),
        ("POST", "/lumbre/docs/text", text),
        ("POST", "/lumbre/docs/place", place),
        ("DELETE", "/lumbre/conversations", forget),
        ("POST", "/lumbre/open", open_),
        ("POST", "/lumbre/unload", unload),
        ("POST", "/lumbre/pin", pin),
        ("GET", "/lumbre/ps", ps),
        ("GET", "/lumbre/top", top),
        ("POST", "/lumbre/signal", signal),
        ("GET", "/lumbre/signal", signalled),
        ("POST", "/lumbre/stop", stop),
        ("GET", "/metrics", metrics),
    ]
    return Starlette(
        routes=[
            Route(path, _counted(household, handler), methods=[method])
            for method, path, handler in routes
        ],
        exception_handlers={LumbreError: _refused, Exception: _unforeseen},
        lifespan=lifespan,
    )


def _counted(household: Household, handler: Handler) -> Handler:
    """A household that is being asked is not idle. Looking at it does not count."""

    async def counted(request: Request) -> Response:
        if request.url.path in ("/lumbre/ps", "/lumbre/top", "/metrics"):
            return await handler(request)
        with household.in_use():
            return await handler(request)

    return counted


def _events(household: Household, events: AsyncGenerator[Event]) -> Response:
    return StreamingResponse(_lines(household, events), media_type="application/x-ndjson")


async def _lines(household: Household, events: AsyncGenerator[Event]) -> AsyncIterator[bytes]:
    with household.in_use():
        try:
            async with aclosing(events) as going:
                async for event in going:
                    yield _line(event)
        except LumbreError as error:
            yield _line({"event": "error", **as_json(error)})
        except Exception as error:
            # the last place that can still answer: what we did not foresee is told and kept
            _log.exception("a request failed")
            yield _line({"event": "error", **as_json(_mistake(error))})


def _line(event: Event) -> bytes:
    return json.dumps(event).encode() + b"\n"


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, LumbreError)
    return JSONResponse(as_json(error), status_of(error), headers_of(error))


async def _unforeseen(_: Request, error: Exception) -> Response:
    """Our own mistake: told as what it is; the traceback is in the log."""
    return JSONResponse(as_json(_mistake(error)), 500)


def _mistake(error: Exception) -> EngineRefused:
    return EngineRefused(model="lumbre", reason=f"{type(error).__name__}: {error}")


async def _body(request: Request) -> Event:
    try:
        body = await request.json()
    except ValueError as error:
        raise BadArguments(reason=f"not JSON: {error}") from error
    if not isinstance(body, dict):
        raise BadArguments(reason="not a JSON object")
    return body


def _list(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BadArguments(reason="a list of texts is wanted")
    return value
