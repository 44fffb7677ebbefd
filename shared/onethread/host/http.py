"""The HTTP client that connectors are lent: time-outs, the address guard, redirects without secrets. It knows no provider.

What its errors mean is said in `onethread.host.faults`.
"""

import ssl
from collections.abc import Iterable, Sequence
from typing import Any
from weakref import WeakSet

import httpcore
import httpx

from onethread.errors import Poison
from onethread.host.addresses import Network, checked_addresses

_TIMEOUT = httpx.Timeout(connect=10.0, read=75.0, write=30.0, pool=10.0)
"""Seconds; a long poll may block for 60."""
_LIMITS = httpx.Limits(max_connections=20, max_keepalive_connections=5, keepalive_expiry=30.0)
_MAX_REDIRECTS = 5
_HARMLESS = frozenset({"accept", "accept-encoding", "accept-language", "user-agent"})
"""Headers that may follow a redirect to another host; any other may be a credential."""


class LentClient(httpx.AsyncClient):
    """Raises on a status of 400 and above, with a sentence that holds no URL; the answer's body has been read by then, if it was not asked for as a stream."""

    def __init__(self, allow_networks: Sequence[Network] = (), *, timeout: httpx.Timeout = _TIMEOUT) -> None:
        # Proxies of the environment are not used: behind one, nobody could say where a connection goes.
        super().__init__(
            transport=_GuardedTransport(allow_networks),
            timeout=timeout,
            trust_env=False,
            headers={"user-agent": "onethread"},
        )

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """As httpx's; each redirect is followed as a new, checked request."""
        follow = options.pop("follow_redirects", True)
        stream = options.pop("stream", False)
        for _ in range(_MAX_REDIRECTS + 1):
            response = await super().send(request, stream=True, follow_redirects=False, **options)
            if not follow or response.next_request is None:
                return await _judged(response, stream=stream)
            await response.aclose()
            request = _redirected(request, response.next_request)
            options.pop("auth", None)
        raise Poison(f"{request.url.host} redirects more than {_MAX_REDIRECTS} times")


async def _judged(response: httpx.Response, *, stream: bool) -> httpx.Response:
    failed = response.status_code >= 400
    if failed and stream:
        await response.aclose()  # whoever streams does so since the body has no bounds: nor has an error's
    elif not stream:
        try:
            await response.aread()
        finally:
            await response.aclose()
    if failed:
        reason = f"{response.request.url.host} answers {response.status_code}"
        raise httpx.HTTPStatusError(reason, request=response.request, response=response)
    return response


def _redirected(old: httpx.Request, new: httpx.Request) -> httpx.Request:
    """The next request: to another host without credentials and body, and never from https to http."""
    if old.url.scheme == "https" and new.url.scheme != "https":
        raise Poison(f"{old.url.host} redirects from https to {new.url.scheme}, which is not followed")
    if (old.url.scheme, old.url.host, old.url.port) == (new.url.scheme, new.url.host, new.url.port):
        return new
    if new.method not in {"GET", "HEAD"}:
        raise Poison(f"{old.url.host} redirects a {new.method} to another host, which is not followed")
    headers = {name: text for name, text in new.headers.items() if name in _HARMLESS}
    return httpx.Request(new.method, new.url, headers=headers, extensions=new.extensions)


class _GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx's transport on a pool whose connections are opened by the guard."""

    def __init__(self, allow_networks: Sequence[Network]) -> None:
        super().__init__(trust_env=False)
        self._backend = _GuardedBackend(allow_networks)
        # httpx has no argument for httpcore's network backend; TLS still asks for, and checks, the name of the host.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(),
            max_connections=_LIMITS.max_connections,
            max_keepalive_connections=_LIMITS.max_keepalive_connections,
            keepalive_expiry=_LIMITS.keepalive_expiry,
            network_backend=self._backend,
        )

    async def aclose(self) -> None:
        """See httpx; what is under way then fails."""
        await super().aclose()
        await self._backend.aclose()


class _GuardedBackend(httpcore.AnyIOBackend):
    """Connects to the addresses that were checked, one after the other.

    It knows what it opened: httpcore's pool forgets connections that are still being opened when it is closed.
    """

    def __init__(self, allow_networks: Sequence[Network]) -> None:
        self._allow_networks = tuple(allow_networks)
        self._opened: WeakSet[httpcore.AsyncNetworkStream] = WeakSet()
        self._closed = False

    async def aclose(self) -> None:
        """Whatever is open, or is being opened, is closed."""
        self._closed = True
        for stream in list(self._opened):
            await stream.aclose()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """See httpcore."""
        try:
            addresses = await checked_addresses(host, port, self._allow_networks)
        except OSError as error:
            raise httpcore.ConnectError(f"{host} has no address ({type(error).__name__})") from error
        failure: Exception | None = None
        for address in addresses[:3]:
            try:
                stream = await super().connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
                continue
            if not self._closed:
                self._opened.add(stream)
                return stream
            await stream.aclose()
            failure = httpcore.ConnectError("the client was closed meanwhile")
            break
        raise failure or httpcore.ConnectError(f"{host} has no address")

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        """Never: connectors speak to hosts."""
        raise Poison("connectors may not open unix sockets")
