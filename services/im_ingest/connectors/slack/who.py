"""Who and where: parties, places, times and ids of Slack. It knows nothing of what was said.

A user's id is kept in the scope of the workspace that we are installed in, under which Slack shows it to us, wherever the person comes from.
"""

import re
from datetime import datetime, timedelta
from typing import NamedTuple

from im_ingest.connectors.slack.entities import Envelope, Said, User
from onethread.connector import utc
from onethread.event import Claim, Party, PartyKind, Place, PlaceKind

STAMP = re.compile(r"([0-9]{1,10})\.([0-9]{1,6})")
SLACKBOT = "USLACKBOT"
NO_WORKSPACE = "-"
"""No id of a workspace: what stands for it where only the user counts."""
WORKSPACE = ("T", "E")
"""What the ids of workspaces and organisations begin with; those of users begin with U or W."""
PLACES: dict[str, PlaceKind] = {"im": "direct", "app_home": "direct", "mpim": "group"}


class Us(NamedTuple):
    """Our side. `staff`: ids of users and of whole workspaces; the rest is what an envelope says of our installation.

    `among_ours`: whether it happened in a place where only people of our workspace are; of those, many records name no workspace.
    """

    team: str
    staff: frozenset[str]
    app: str = ""
    authorised: str = ""
    by_bot: bool = False
    among_ours: bool = False

    def of(self, envelope: Envelope) -> "Us":
        """With what an envelope tells: our app, and the bot (or person) that sees the event."""
        seen = envelope.authorizations[0] if envelope.authorizations else None
        return self._replace(
            app=envelope.api_app_id or "",
            authorised=(seen.user_id if seen else None) or "",
            by_bot=seen is not None and seen.is_bot,
            among_ours=envelope.is_ext_shared_channel is False,
        )

    def has(self, user: str | None, team: str | None = None) -> bool:
        """Whether a user is of our side."""
        home = team or (self.team if self.among_ours and user != SLACKBOT else None)
        return bool(user) and (user == self.authorised or user in self.staff or home in self.staff)


def moment(ts: str | None) -> datetime | None:
    """A `ts` as a time; None where there is none, or none that can be read: a message is not lost for it."""
    found = STAMP.fullmatch(ts or "")
    return utc(int(found[1])) + timedelta(microseconds=int(found[2].ljust(6, "0"))) if found else None


def user(identifier: str, us: Us) -> Claim:
    """A user's identity."""
    return Claim("slack_user", identifier, scope=us.team)


def conversation(channel: str, us: Us) -> Claim:
    """A direct message between a person and our bot is an address of that person: what the bot writes names nobody else."""
    return Claim("slack_im", channel, scope=us.team)


def place(channel: str, kind: str | None = None) -> Place:
    """A channel. Mentions, reactions and buttons tell no kind: ids of direct messages begin with D."""
    known = "im" if channel.startswith("D") else kind or ""
    return Place(id=channel, kind=PLACES.get(known, "channel"))


def thread(where: Place, root: str) -> str:
    """In channels a message and the answers to it are a thread; a direct message is one as a whole."""
    return where.id if where.kind == "direct" else f"{where.id}:{root}"


def is_ours(said: Said, us: Us) -> bool:
    """Whether staff wrote it, or our app."""
    app = said.app_id or (said.bot_profile.app_id if said.bot_profile else None)
    if said.bot_id or said.user == SLACKBOT:  # another app's bot is of our workspace, and not of our staff
        return (bool(app) and app == us.app) or us.has(said.user, NO_WORKSPACE)
    return us.has(said.user, home_of(said))


def home_of(said: Said) -> str:
    """The workspace of who wrote; "" where it is not told, as by a message with files."""
    profile = said.user_profile.team if said.user_profile else None
    return said.user_team or said.source_team or said.team or profile or ""


def author(said: Said, us: Us) -> Party:
    """Who wrote a message: a person, or a bot, which may be no user."""
    ours, where = is_ours(said, us), place(said.channel, said.channel_type)
    claims = [user(said.user, us)] if said.user else []
    if said.bot_id and not said.user:
        claims.append(Claim("slack_bot", said.bot_id, scope=us.team))
    if claims and where.kind == "direct" and us.by_bot and not ours and not said.bot_id:
        claims.append(conversation(where.id, us))
    return Party(claims=tuple(claims), name=_name(said), kind=_kind(said, ours=ours), is_us=ours)


def _name(said: Said) -> str:
    bot, person = said.bot_profile, said.user_profile
    return said.username or (bot.name if bot else None) or (person.real_name if person else None) or ""


def _kind(said: Said, *, ours: bool) -> PartyKind:
    if said.user == SLACKBOT:
        return "app"
    if said.bot_id:
        return "bot"
    if not said.user:
        return "anonymous"
    return "agent" if ours else "person"


def addressed(said: Said, us: Us) -> tuple[Party, ...]:
    """Whom we wrote to: the other side of a direct message, or who began the thread, if that is surely no staff."""
    where = place(said.channel, said.channel_type)
    if where.kind == "direct" and us.by_bot:
        return (Party(claims=(conversation(where.id, us),)),)
    starter = said.parent_user_id
    # The starter's workspace is not told, so it is known in places of our own alone.
    unsure = not us.among_ours and any(each.startswith(WORKSPACE) for each in us.staff)
    return () if not starter or unsure or us.has(starter) else (Party(claims=(user(starter, us),)),)


def described(found: User, us: Us) -> Party:
    """A person with what the directory says."""
    profile = found.profile
    further = [
        Claim("email", profile.email or "", evidence="directory" if _is_vouched_for(found, us) else "profile"),
        Claim("phone", profile.phone or "", evidence="profile"),
    ]
    ours = us.has(found.id, found.team_id)
    kind: PartyKind = "bot" if found.is_bot else "agent" if ours else "person"
    return Party(
        claims=(user(found.id, us), *(claim for claim in further if claim.value)),
        name=profile.real_name or found.real_name or profile.display_name or "",
        username=profile.display_name or found.name or "",
        kind=kind,
        is_us=ours,
        locale=found.locale or "",
        timezone=found.tz or "",
        avatar=profile.image_512 or "",
    )


def _is_vouched_for(found: User, us: Us) -> bool:
    """Whether the email address is from our own directory: another workspace's administrators can write what they like into theirs."""
    teams = (found.enterprise_user.teams if found.enterprise_user else None) or ()
    home = found.team_id == us.team or us.team in teams
    return home and found.is_email_confirmed is not False
