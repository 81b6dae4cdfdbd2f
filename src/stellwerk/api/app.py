"""The application: all doors of a server behind one guard.

Theory of operation: the verbs, the run channel, blobs, the live feed and the GraphQL window bring their routes; what is
none of these is the page's. Errors are answered by the guard, in one shape, whoever raised them.
"""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, Router, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

from stellwerk.api import guard
from stellwerk.api.answers import Refusal, answer_of, not_allowed, reading
from stellwerk.api.channel import Channel
from stellwerk.api.live import Live
from stellwerk.api.page.static import FOLDER, Static
from stellwerk.api.parts import Parts
from stellwerk.api.rest.blobs import BlobDoor
from stellwerk.api.rest.routes import routes as verb_routes
from stellwerk.api.rest.verbs import Doors
from stellwerk.api.sessions import Sessions
from stellwerk.errors import NotFound


def make_app(parts: Parts, page: Path = FOLDER) -> Starlette:
    """Make the ASGI application of a server.

    Args:
        parts: what it is made of.
        page: the folder with the built page.

    `app.state` keeps `channel`, `live` and `sessions`.
    """
    doors = Doors(Sessions(parts, guard.grant_of), Channel(parts), Live(parts))
    routes: list[BaseRoute] = [
        *doors.channel.routes(),
        *BlobDoor(parts).routes(),
        WebSocketRoute("/api/live", doors.live.serve),
        *verb_routes(parts, doors),
        Route("/graphql", _Window(parts)),
        Route("/graphql/{path:path}", _Window(parts)),
    ]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(guard.Guard, parts=parts)],
        exception_handlers={HTTPException: _http_problem},
    )
    app.router.redirect_slashes = False
    app.router.default = _Rest(Static(str(parts.config.server_path or ""), page))
    app.state.channel, app.state.live, app.state.sessions = doors.channel, doors.live, doors.sessions
    return app


async def _http_problem(request: Request, problem: Exception) -> Response:
    """Answer what Starlette refuses by itself."""
    assert isinstance(problem, HTTPException)
    code = {404: NotFound.code, 405: "method_not_allowed"}.get(problem.status_code, "refused")
    return answer_of(Refusal(problem.status_code, code, str(problem.detail), headers=problem.headers or {}), "")


class _Rest:
    """Answer what no route does: by the page, or by 404 in JSON."""

    def __init__(self, page: Static) -> None:
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await WebSocketClose(4404, "There is no such WebSocket.")(scope, receive, send)
            return
        if scope["method"] not in ("GET", "HEAD") and guard.is_open(scope["method"], scope["path"]):
            raise not_allowed(scope["method"], ["GET"])
        response = await self._page.answer(Request(scope, receive))
        await response(scope, receive, send)


class _Window:
    """Load the GraphQL window when it is first asked: its parser takes memory and time that a start need not."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._router: Router | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._router is None:
            self._router = Router(await reading(_load_window, self._parts), redirect_slashes=False)
        await self._router(scope, receive, send)


def _load_window(parts: Parts) -> list[BaseRoute]:
    from stellwerk.api.graphql import window  # see _Window

    return list(window.routes(parts))
