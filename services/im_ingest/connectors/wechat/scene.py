"""A record of an Official Account with who and when: what every event made of it shares. It knows nothing of what was said."""

from datetime import datetime
from typing import Any, NamedTuple

from im_ingest.connectors.wechat.entities import Record
from onethread.event import AnyFact, Claim, Event, Party
from onethread.identity import digest

USER = "user:"
"""Before the openid, the locator of a look-up."""


class Scene(NamedTuple):
    """A record; `account`: whom it was written to; `at`: when."""

    record: Record
    account: str
    at: datetime

    def event(self, external_id: str, fact: AnyFact, *, look_up: bool = True, **fields: Any) -> Event:
        """An event of this person."""
        openid = self.record.from_user_name
        return Event(
            external_id,
            fact,
            external_thread_id=openid,
            sender=Party(claims=(person(openid, self.account),)),
            received_at=self.at,
            reply_context={"openid": openid},
            lookups=(f"{USER}{openid}",) if look_up else (),
            **fields,
        )

    def of_the_platform(self, external_id: str, fact: AnyFact, **fields: Any) -> Event:
        """An event of WeChat's own machines. They are named as senders, and are nobody's openid."""
        return Event(external_id, fact, received_at=self.at, **fields)

    def sent_id(self) -> str:
        """The id of a message that we sent; its field is spelt in two ways."""
        return self.record.sent_id or self.record.msg_id

    def message_id(self) -> str:
        """Every message has an id; should one have none, the same words of one second are one message."""
        one = self.record
        words = (one.content, one.media_id, one.title, one.url)
        return one.msg_id or digest(one.from_user_name, str(one.create_time), one.msg_type, *words)

    def event_id(self) -> str:
        """Events have none: WeChat advises to tell them apart by person, time and kind ("Receiving event pushes")."""
        one = self.record
        return digest(one.event, one.from_user_name, str(one.create_time), one.event_key, one.sent_id)


def person(openid: str, account: str) -> Claim:
    """An openid is good at one account only."""
    return Claim("wechat_openid", openid, scope=account)
