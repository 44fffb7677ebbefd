"""Serves the applications of our own that live at a channel's URL (live chat). It knows routes, and no protocol.

/apps/{channel id}/…   the application sees its own root there: `root_path` ends with the channel's id
"""

from typing import Any

from onethread.connector import Mounted
from onethread.host.channel import Channel, Channels
from onethread.host.lent import Lender
from onethread.host.problems import problem, send_answer

_MARK = "/apps/"


class MountedApps:
    """An ASGI application; mount it so that paths below `/apps/` reach it, WebSockets too."""

    def __init__(self, channels: Channels, lender: Lender) -> None:
        self._channels, self._lender = channels, lender
        self._apps: dict[str, tuple[Channel, Any]] = {}

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """See ASGI 3."""
        before, found, rest = scope["path"].partition(_MARK)
        channel_id = rest.partition("/")[0]
        app = self._app(channel_id) if found else None
        if app is not None:
            await app({**scope, "root_path": f"{before}{_MARK}{channel_id}"}, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})  # before it was accepted: 403
        else:
            await send_answer(send, problem(404))

    def _app(self, channel_id: str) -> Any:
        """The channel's application, made once for as long as the channel is the same; None: it has none."""
        channel = self._channels.get(channel_id)
        if channel is None or not isinstance(channel.connector, Mounted) or Mounted not in channel.connector.edges:
            return None
        known, app = self._apps.get(channel_id, (None, None))
        if known is not channel:
            app = channel.connector.asgi(self._lender.host(channel))
            self._apps[channel_id] = (channel, app)
        return app
