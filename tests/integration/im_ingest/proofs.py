"""Links of ours that came back: tokens as the house issues them, and what the log says that they proved. It knows no provider."""

from datetime import UTC, datetime

from failures.house import House
from pydantic import SecretStr

from onethread import envelope
from onethread.event import Claim
from onethread.log.port import TopicPartition
from onethread.log.topics import MESSAGES
from onethread.own_tokens import OwnTokens

KEYS = [SecretStr("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")]
"""Those of a house's replicas."""


def token(house: House, network: str) -> str:
    """A token for Mia's address."""
    return OwnTokens(KEYS).issue(Claim("email", "mia@example.com"), house.tenant, network, datetime.now(UTC))


async def proved(house: House, kind: str) -> list[list[str]]:
    """The evidence for the sender of each event of this kind."""
    extents = await house.log.extents(MESSAGES)
    records = [record for number in extents for record in await house.log.fetch(TopicPartition(MESSAGES, number), 0)]
    events = [envelope.read(record.value, record.headers) for record in records]
    return [[claim.evidence for claim in event.sender.claims] for event in events if event.kind == kind]
