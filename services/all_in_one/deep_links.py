"""A link that proves, when it comes back from a chat, who holds an address. It knows no command."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from pydantic import SecretStr

from onethread.connector import DeepLinks
from onethread.errors import Misconfigured
from onethread.event import Claim
from onethread.host.channel import Channel
from onethread.host.faults import translated
from onethread.host.lent import Lender
from onethread.own_tokens import OwnTokens


class DeepLink(NamedTuple):
    """`url`: what opens the channel with the token."""

    token: str
    url: str


async def deep_link(claim: Claim, one: Channel, lender: Lender, keys: Sequence[SecretStr]) -> DeepLink:
    """A link for one person's address into one channel.

    Raises Misconfigured for a channel that no link opens, and what the provider's refusal means, where it makes the link.
    """
    if not isinstance(one.connector, DeepLinks):
        raise Misconfigured(
            f"channel {one.id}: no link opens {one.connector.name} with a token of ours. "
            "`onethread channels` says of each channel whether it has deep links."
        )
    now = datetime.now(UTC)
    token = OwnTokens(keys).issue(claim, one.tenant, one.network, now)
    try:
        return DeepLink(token, await one.connector.deep_link(lender.host(one), token))
    except Exception as error:
        raise translated(error, now) from error
