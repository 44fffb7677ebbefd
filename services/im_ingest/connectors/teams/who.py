"""Who: parties of Teams. It knows nothing of what was said.

A person has another id at each bot; the directory's object id is the same everywhere, in its tenant (Microsoft Learn,
"Get Teams specific context for your bot").
"""

import re
from typing import NamedTuple

from im_ingest.connectors.teams.entities import Account, Activity, ClientInfo, Member
from onethread.event import Claim, Party

EMAIL = re.compile(r"[^@\s#]{1,64}@[^@\s#]{1,255}")
"""Not the made-up address of a guest, which holds #EXT#."""
STRANGERS = frozenset({"guest", "anonymous"})
"""Roles of people who are in a conversation of a tenant, and not of that company."""


class Us(NamedTuple):
    """Our side: tenant, the bot's app id, and which of the company's people answer customers."""

    tenant: str
    app_id: str
    agents: frozenset[str]

    def is_bot(self, account: Account) -> bool:
        """Whether it is our bot; its id is a prefix and the app's id."""
        return (account.id or "").partition(":")[2].casefold() == self.app_id.casefold()

    def is_agent(self, account: Account) -> bool:
        """Whether it is one of our people."""
        return (account.aad_object_id or "").casefold() in self.agents

    def owns(self, account: Account) -> bool:
        """Whether it is our side at all."""
        return self.is_bot(account) or self.is_agent(account)


def tenant_of(activity: Activity) -> str:
    """The tenant of the conversation, "" where it says none."""
    data, conversation = activity.channel_data, activity.conversation
    told = data.tenant.id if data and data.tenant else None
    return (told or (conversation.tenant_id if conversation else None) or "").lower()


def party(account: Account, us: Us, tenant: str, device: ClientInfo | None = None) -> Party:
    """Somebody, with what the sender's device tells."""
    if us.is_bot(account):
        return Party(claims=(Claim("teams_bot", us.app_id),), name=account.name or "", kind="bot", is_us=True)
    ours = us.is_agent(account)
    robot = account.role == "bot" or (account.id or "").startswith("28:")
    found = claims(account, us, account.tenant_id or tenant)
    return Party(
        claims=found,
        name=account.name or "",
        kind="agent" if ours else "bot" if robot else "person" if found else "anonymous",
        is_us=ours,
        locale=(device and device.locale) or "",
        country=(device and device.country) or "",
        timezone=(device and device.timezone) or "",
    )


def claims(account: Account, us: Us, tenant: str) -> tuple[Claim, ...]:
    """The directory's id first; guests of a meeting have only that of the bot."""
    found = []
    if account.aad_object_id:
        found.append(Claim("teams_user", account.aad_object_id.lower(), scope=tenant.lower()))
    if account.id:
        found.append(Claim("teams_account", account.id, scope=us.app_id))
    return tuple(found)


def member(record: Member, us: Us, tenant: str) -> Party:
    """Somebody with what the directory tells.

    An address is the word of the company whose directory holds it, and any company may write any address into its own
    (Microsoft Learn, "Migrate away from using email claims for user identification"): only that of the channel's tenant is
    believed, and not for guests, whose address is another company's.
    """
    account = Account(record.id, record.name, record.aad_object_id or record.object_id, tenant_id=record.tenant_id)
    bare = party(account, us, tenant)
    address = next((each for each in (record.email, record.user_principal_name) if each and EMAIL.fullmatch(each)), "")
    own = (record.tenant_id or "").lower() == us.tenant and (record.user_role or "user").lower() not in STRANGERS
    more = (Claim("email", address, evidence="directory" if own else "profile"),) if address else ()
    full = " ".join(filter(None, (record.given_name, record.surname)))
    return Party(claims=bare.claims + more, name=full or bare.name, kind=bare.kind, is_us=bare.is_us)
