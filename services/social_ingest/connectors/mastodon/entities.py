"""Entities of the Mastodon API that are read here, with their types checked. It knows fields, and what none of them means.

https://docs.joinmastodon.org/entities/. Forks leave fields out and newer servers add some: what is not needed has a default,
what is not named here is passed over. Ids are texts, though they look like numbers.
"""

from typing import Annotated

import msgspec

from onethread.event import Moment, Whole

Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e9)]


class Field(msgspec.Struct, frozen=True):
    """A line of a profile. `value` is HTML; `verified_at`: when the page was seen to link back."""

    value: str = ""
    verified_at: str | None = None


class Account(msgspec.Struct, frozen=True):
    """Somebody. `acct` has no domain for people of our own server; `uri` is the same on every server."""

    id: str
    acct: str
    uri: str | None = None
    url: str | None = None
    display_name: str = ""
    avatar: str | None = None
    bot: bool | None = None
    fields: tuple[Field, ...] | None = None


class Size(msgspec.Struct, frozen=True):
    """Measures of a picture or film; `duration` in seconds."""

    width: Whole | None = None
    height: Whole | None = None
    duration: Seconds | None = None


class Measures(msgspec.Struct, frozen=True):
    """Measures of the file, and of its preview, which is not read."""

    original: Size | None = None


class Media(msgspec.Struct, frozen=True):
    """A file. `url` is None while the server still works on it; `remote_url` is where another server keeps it."""

    id: str
    type: str = "unknown"
    url: str | None = None
    remote_url: str | None = None
    description: str | None = None
    meta: Measures | None = None


class Named(msgspec.Struct, frozen=True):
    """Somebody named in a status."""

    acct: str
    url: str | None = None


class Option(msgspec.Struct, frozen=True):
    """A choice of a poll."""

    title: str = ""


class Poll(msgspec.Struct, frozen=True):
    """A poll in a status."""

    options: tuple[Option, ...] = ()


class Quoted(msgspec.Struct, frozen=True):
    """The status that another one quotes."""

    id: str
    content: str = ""
    account: Account | None = None


class QuoteOf(msgspec.Struct, frozen=True):
    """A quote; the status is missing where its author has not allowed it, or not yet."""

    quoted_status: Quoted | None = None


class Status(msgspec.Struct, frozen=True):
    """What somebody wrote. `content` is HTML; `spoiler_text` stands in front, as a warning."""

    id: str
    account: Account
    created_at: Moment
    uri: str = ""
    url: str | None = None
    content: str = ""
    visibility: str = "public"
    spoiler_text: str = ""
    language: str | None = None
    in_reply_to_id: str | None = None
    edited_at: Moment | None = None
    mentions: tuple[Named, ...] = ()
    media_attachments: tuple[Media, ...] = ()
    poll: Poll | None = None
    quote: QuoteOf | None = None


class Notification(msgspec.Struct, frozen=True):
    """What the server tells our account. `status` is missing where the kind has none, or it is gone."""

    id: str
    type: str
    created_at: Moment
    account: Account | None = None
    status: Status | None = None


class Frame(msgspec.Struct, frozen=True):
    """A frame of the streaming API. `payload` is JSON once more, as a text; of "delete" an id."""

    event: str = ""
    payload: str | None = None
    error: str | None = None


class Numbered(msgspec.Struct, frozen=True):
    """Just enough of a notification to order it."""

    id: str


class Dated(Numbered, frozen=True):
    """Just enough of a notification to find where to begin."""

    created_at: Moment


class Urls(msgspec.Struct, frozen=True):
    """Addresses of a server's other parts."""

    streaming: str = ""


class Configuration(msgspec.Struct, frozen=True):
    """What a server can do."""

    urls: Urls = Urls()


class Instance(msgspec.Struct, frozen=True):
    """A server, as `GET /api/v2/instance` describes it."""

    configuration: Configuration = Configuration()


def order(identifier: str) -> tuple[int, str]:
    """The key by which ids are in order: whole numbers without leading zeros, so the shorter is the smaller."""
    return len(identifier), identifier
