"""The Web API of the simulator of Slack: whose token it is, people, files, and tickets for connections. It knows no event.

Slack API docs, "Web API: Evaluating responses": a refused call has status 200 and `"ok": false`. A file that is asked for with a wrong token is
answered with the log-in page, and status 200 too.
"""

import hmac
import itertools
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from onethread.testing.slack_sockets import Sockets

Json = dict[str, Any]
SCOPES = "users:read,users:read.email,files:read,channels:history,channels:read,im:history,reactions:read"
LOGIN_PAGE = b"<!DOCTYPE html><title>Sign in</title>"


class Web:
    """What one app may ask. `teams`: its bot tokens by workspace; `app_token` opens connections."""

    def __init__(self, teams: dict[str, str], bot: str, app_token: str, sockets: Sockets) -> None:
        self.scopes = SCOPES
        self.bot_id: str | None = "B0OURS"
        """None: the tokens are people's."""
        self.channels: list[Json] = [{"id": "C0SUPPORT", "name": "support"}]
        """Where the app was invited."""
        self.users: dict[str, Json] = {}
        """What users.info tells, by id."""
        self.calls: list[tuple[str, Json]] = []
        """Method and parameters."""
        self._teams, self._bot, self._app_token, self._sockets = teams, bot, app_token, sockets
        self._files: dict[str, tuple[Json, bytes]] = {}
        self._numbers = itertools.count(1)

    def keep_file(self, base: str, name: str, content: bytes, media_type: str) -> Json:
        """A file, as a message holds it; `base`: where the server listens."""
        identifier = f"F{next(self._numbers):05}"
        file: Json = {"id": identifier, "name": name, "mimetype": media_type, "mode": "hosted", "size": len(content)}
        file["url_private_download"] = f"{base}/files/{identifier}"
        self._files[identifier] = (file, content)
        return file

    def delete_file(self, file: Json) -> None:
        """A file is gone; Slack still knows that there was one."""
        self._files[file["id"]] = ({"id": file["id"], "mode": "tombstone"}, b"")

    async def call(self, request: Request) -> Response:
        """One method, as its route."""
        method, given = request.path_params["method"], _bearer(request)
        parameters: Json = {**request.query_params, **dict(parse_qsl((await request.body()).decode()))}
        self.calls.append((method, parameters))
        if method == "apps.connections.open":
            return self._open(request, given)
        team = next((team for team, token in self._teams.items() if _same(token, given)), "")
        return self._answer(method, parameters, team) if team else _refused("invalid_auth")

    async def file(self, request: Request) -> Response:
        """The bytes of a file, as its route."""
        file, content = self._files.get(request.path_params["id"], ({}, b""))
        if not any(_same(token, _bearer(request)) for token in self._teams.values()):
            return Response(LOGIN_PAGE, media_type="text/html; charset=utf-8")
        return Response(content, media_type=file["mimetype"]) if content else Response(status_code=404)

    def _answer(self, method: str, parameters: Json, team: str) -> Response:
        match method:
            case "auth.test":
                who = {"team_id": team, "team": "Shop", "user_id": self._bot, "bot_id": self.bot_id}
                return JSONResponse({"ok": True, **who}, headers={"x-oauth-scopes": self.scopes})
            case "users.conversations":
                return JSONResponse({"ok": True, "channels": self.channels})
            case "users.info":
                found = self.users.get(parameters.get("user", ""))
                return JSONResponse({"ok": True, "user": found}) if found else _refused("user_not_found")
            case "files.info":
                file = self._files.get(parameters.get("file", ""))
                return JSONResponse({"ok": True, "file": file[0]}) if file else _refused("file_not_found")
            case _:
                return _refused("unknown_method")

    def _open(self, request: Request, given: str) -> Response:
        if not _same(self._app_token, given):
            return _refused("invalid_auth")
        url = f"ws://{request.url.netloc}/link?ticket={self._sockets.ticket()}"
        return JSONResponse({"ok": True, "url": url})


def _bearer(request: Request) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer ")


def _same(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode())


def _refused(code: str) -> Response:
    return JSONResponse({"ok": False, "error": code})
