"""How messages are grouped, per tenant and channel. Settings only; the rules that read them are in `unifier.threading`."""

from collections.abc import Mapping
from typing import Literal

import msgspec

HOUR = 3_600_000
"""Milliseconds."""

Grouping = Literal["episodes", "threads"]


class Policy(msgspec.Struct, frozen=True):
    """`window`: milliseconds of silence after which a free message opens a conversation of its own.

    `episodes`: fresh mails and posts are free too. `threads`: only direct chats are; where the clock would join a chat to
    a thread, it only suggests.
    """

    grouping: Grouping = "episodes"
    window: int = 72 * HOUR


class Policies(msgspec.Struct, frozen=True):
    """The policy of a channel, else of its tenant, else the default."""

    default: Policy = Policy()
    tenants: Mapping[str, Policy] = {}
    channels: Mapping[tuple[str, str], Policy] = {}

    def of(self, tenant: str, channel_id: str) -> Policy:
        """The policy for messages of this channel."""
        return self.channels.get((tenant, channel_id)) or self.tenants.get(tenant, self.default)
