"""The records of Slack as typed structs: decoding them checks them. It knows no event.

Sources: Slack API docs, "Events API" (the envelope and its `authorizations`), "message event" with its subtypes, "File object",
"users.info"; sample payloads of Slack's own SDKs.
"""

from typing import Any

import msgspec

from onethread.event import Whole


class Authorization(msgspec.Struct):
    """One installation that may see the event: its bot, or a person who gave the app a token. Slack names one, even if there are more."""

    team_id: str | None = None
    user_id: str | None = None
    is_bot: bool = False


class Envelope(msgspec.Struct):
    """What comes by the Events API. `event_time`, `minute_rate_limited`: Unix seconds."""

    type: str
    team_id: str | None = None
    context_team_id: str | None = None
    api_app_id: str | None = None
    event_id: str = ""
    event_time: int | None = None
    authorizations: list[Authorization] | None = None
    is_ext_shared_channel: bool | None = None
    minute_rate_limited: int | None = None
    event: msgspec.Raw = msgspec.Raw(b"{}")


class Head(msgspec.Struct):
    """What every inner event has."""

    type: str


class BotProfile(msgspec.Struct):
    """The bot behind a message."""

    id: str | None = None
    app_id: str | None = None
    name: str | None = None


class UserProfile(msgspec.Struct):
    """Who wrote, where Slack tells it with the message: of people of other workspaces, as a rule."""

    real_name: str | None = None
    team: str | None = None


class Transcription(msgspec.Struct):
    """The words of a clip. `status`: "complete" once they are there."""

    status: str | None = None
    preview: dict[str, Any] | None = None


class File(msgspec.Struct):
    """A file. `mode`: "hosted", "external", "snippet", "post", "tombstone", "hidden_by_limit"; `duration_ms` of clips."""

    id: str
    name: str | None = None
    title: str | None = None
    mimetype: str | None = None
    subtype: str | None = None
    size: Whole | None = None
    mode: str | None = None
    is_external: bool | None = None
    url_private: str | None = None
    url_private_download: str | None = None
    original_w: Whole | None = None
    original_h: Whole | None = None
    duration_ms: Whole | None = None
    alt_txt: str | None = None
    transcription: Transcription | None = None


class Cell(msgspec.Struct):
    """A line of a table."""

    title: str | None = None
    value: Any = None


class Legacy(msgspec.Struct):
    """An "attachment" of a message: what a bot shows, the preview of a link, or a message that somebody shared.

    `fields`: a table; `files`: those of the message that was shared.
    """

    is_share: bool | None = None
    pretext: str | None = None
    title: str | None = None
    text: str | None = None
    fields: list[Cell] | None = None
    blocks: list[Any] | None = None
    files: list[File] | None = None
    fallback: str | None = None
    author_id: str | None = None
    author_name: str | None = None
    ts: str | int | float | None = None
    from_url: str | None = None


class Said(msgspec.Struct):
    """A message, or what became of one. `ts` is its id in the channel and its time; digits would be lost in a float."""

    channel: str = ""
    channel_type: str | None = None
    subtype: str | None = None
    user: str | None = None
    bot_id: str | None = None
    app_id: str | None = None
    bot_profile: BotProfile | None = None
    username: str | None = None
    user_profile: UserProfile | None = None
    team: str | None = None
    user_team: str | None = None
    source_team: str | None = None
    text: str | None = None
    blocks: list[Any] | None = None
    attachments: list[Legacy] | None = None
    files: list[File] | None = None
    ts: str = ""
    event_ts: str | None = None
    thread_ts: str | None = None
    parent_user_id: str | None = None
    client_msg_id: str | None = None
    message: "Said | None" = None
    previous_message: "Said | None" = None
    deleted_ts: str | None = None


class Item(msgspec.Struct):
    """What a reaction is about."""

    type: str = ""
    channel: str | None = None
    ts: str | None = None


class Reaction(msgspec.Struct):
    """An emoji by its name, added to a message or taken away."""

    type: str
    user: str
    reaction: str
    item: Item
    event_ts: str


class Membership(msgspec.Struct):
    """Somebody came into a channel, or left it."""

    type: str
    user: str
    channel: str
    channel_type: str | None = None
    team: str | None = None
    inviter: str | None = None
    event_ts: str | None = None


class Profile(msgspec.Struct):
    """What a workspace's directory holds of a person; `phone` and `title` are what the person wrote."""

    real_name: str | None = None
    display_name: str | None = None
    email: str | None = None
    phone: str | None = None
    title: str | None = None
    image_512: str | None = None


class EnterpriseUser(msgspec.Struct):
    """A person of several workspaces of one organisation."""

    teams: list[str] | None = None


class User(msgspec.Struct):
    """A person or bot of `users.info`, `user_change` and `team_join`."""

    id: str
    team_id: str | None = None
    name: str | None = None
    real_name: str | None = None
    is_bot: bool | None = None
    is_email_confirmed: bool | None = None
    locale: str | None = None
    tz: str | None = None
    enterprise_user: EnterpriseUser | None = None
    profile: Profile = msgspec.field(default_factory=Profile)


class UserChange(msgspec.Struct):
    """A profile that changed, or a person who joined the workspace."""

    user: User


class Tokens(msgspec.Struct):
    """Users whose tokens are no longer good: `bot` holds our bot, if it is ours."""

    bot: list[str] | None = None


class Revoked(msgspec.Struct):
    """The workspace, or a person, took the app's access away."""

    type: str
    tokens: Tokens = msgspec.field(default_factory=Tokens)
