"""The channels a process serves: one configured account of a connector each. It knows no settings file and no store."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Literal

import msgspec
from pydantic import SecretStr

from onethread.connector import Connector
from onethread.errors import Misconfigured

_MIN_HOOK_SECRET = 16


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """One channel at run time.

    `id`: `chn_…`; `hook_secret`: the unguessable part of its webhook's path, "" where it has none; `created_at`: what the
    provider dates before it is history; `since`: where a pull begins that has no cursor yet (None: now); `allow_networks`: private networks its connector may reach (own API server).
    `idle_hours`, `grouping`: how the unifier groups its messages; None leaves that to the tenant.
    """

    id: str
    tenant: str
    connector: Connector[Any]
    created_at: datetime
    since: datetime | None = None
    hook_secret: SecretStr = SecretStr("")
    allow_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    idle_hours: float | None = None
    grouping: Literal["episodes", "threads"] | None = None

    def __post_init__(self) -> None:
        if not self.id.startswith("chn_") or not self.id[4:].replace("_", "").replace("-", "").isalnum():
            raise Misconfigured(f"channel id {self.id!r}: write chn_ and then letters, digits, - or _")
        if not self.tenant:
            raise Misconfigured(f"channel {self.id} has no tenant; write tenant: default if you have but one")
        if self.created_at.tzinfo is None:
            raise Misconfigured(f"channel {self.id}: created_at needs a zone, as in 2026-01-31T12:00:00Z")
        if 0 < len(self.hook_secret.get_secret_value()) < _MIN_HOOK_SECRET:
            raise Misconfigured(f"channel {self.id}: hook_secret needs {_MIN_HOOK_SECRET} characters or more")

    @property
    def account(self) -> str:
        """Ours, in the provider's words."""
        return self.connector.account

    @property
    def network(self) -> str:
        """What people call it."""
        return self.connector.network

    def url(self, public_url: str) -> str:
        """Where its provider is to call it, below `http.public_url`; "" if that is empty, or nobody may call it. It is a secret."""
        secret = self.hook_secret.get_secret_value()
        return f"{public_url.rstrip('/')}/hooks/{self.id}/{secret}" if public_url and secret else ""


class Channels:
    """The channels of this process. Changes take effect with the next request or round."""

    def __init__(self, channels: Iterable[Channel] = ()) -> None:
        self._by_id: dict[str, Channel] = {}
        for channel in channels:
            self.add(channel)

    def __iter__(self) -> Iterator[Channel]:
        return iter(tuple(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, channel_id: str) -> Channel | None:
        """The channel of an id."""
        return self._by_id.get(channel_id)

    def add(self, channel: Channel) -> None:
        """Serve one more. Raises Misconfigured for an id that is taken."""
        if channel.id in self._by_id:
            raise Misconfigured(f"two channels have the id {channel.id}; ids are unique over all tenants")
        self._by_id[channel.id] = channel

    def remove(self, channel_id: str) -> None:
        """Serve it no longer."""
        self._by_id.pop(channel_id, None)

    def receiving(self, at: Channel, account: str) -> tuple[Channel, ...]:
        """Those that a record for `account` goes to, when it came in at the entrance of `at`.

        Without an account it is for `at` alone. With one, it is for each channel of the same connector and app that has the
        account: whoever configured it holds the app's secret. An empty app shares with nobody.
        """
        own = (at,) if account in {"", at.account} else ()
        if not account or not at.connector.app:
            return own
        return own + tuple(each for each in self if each.id != at.id and _shares(at, each) and each.account == account)


def _shares(at: Channel, other: Channel) -> bool:
    return other.connector.name == at.connector.name and other.connector.app == at.connector.app
