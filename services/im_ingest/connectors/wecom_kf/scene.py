"""An item with both sides: what every event made of it shares. It knows nothing of what was said."""

from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from im_ingest.connectors.wecom_kf.entities import Item
from onethread.event import AnyFact, Claim, Event, Party

CUSTOMER = "customer:"
"""Before the external user id, the locator of a look-up."""
FROM_CUSTOMER, FROM_SYSTEM, FROM_STAFF = 3, 4, 5
"""Origins of an item."""


class Scene(NamedTuple):
    """An item; `corp`: whose it is; `at`: when. Of an event, account and customer are inside it."""

    item: Item
    corp: str
    at: datetime

    @property
    def account(self) -> str:
        """The customer-service account."""
        return self.item.open_kfid or (self.item.event.open_kfid if self.item.event else "")

    @property
    def customer(self) -> str:
        """The external user id."""
        return self.item.external_userid or (self.item.event.external_userid if self.item.event else "")

    @property
    def by_us(self) -> bool:
        """Whether one of us, or WeCom in our name, wrote it. Of an origin that is not known, the colleague who is named tells."""
        origin = self.item.origin
        return origin in {FROM_SYSTEM, FROM_STAFF} or bool(origin != FROM_CUSTOMER and self.item.servicer_userid)

    def event(
        self,
        external_id: str,
        fact: AnyFact,
        *,
        ours: bool = False,
        servicer: str = "",
        look_up: bool = True,
        **fields: Any,
    ) -> Event:
        """An event in the chat of a customer with an account. `ours`: one of us did it, `servicer` if WeCom says who."""
        account, customer = self.account, self.customer
        bare = Event(
            external_id,
            fact,
            external_thread_id=f"{account}/{customer}" if customer else "",
            sender=_party(customer, self.corp),
            received_at=self.at,
            reply_context={"open_kfid": account, "external_userid": customer} if customer else {},
            lookups=(f"{CUSTOMER}{customer}",) if customer and look_up and not ours else (),
            **fields,
        )
        if not ours:
            return bare
        claims = (Claim("wecom_user", servicer, scope=self.corp),) if servicer else ()
        us, them = Party(claims=claims, kind="agent", is_us=True), (bare.sender,) if customer else ()
        return msgspec.structs.replace(bare, sender=us, recipients=them, direction="outbound", echo=True)


def person(external_userid: str, corp: str) -> Claim:
    """The same at all accounts of one corporation."""
    return Claim("wecom_external_userid", external_userid, scope=corp)


def _party(customer: str, corp: str) -> Party:
    return Party(claims=(person(customer, corp),)) if customer else Party(kind="anonymous")
