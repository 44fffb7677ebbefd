"""What a kind says, as the API shows it: made from the event's own structs, so that no field is typed twice. Pure.

"" becomes null, times RFC 3339, parties people, attachments get their ids; what is the provider's or ours alone is left out.
"""

import types
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, Union, cast, get_args, get_origin, get_type_hints

import msgspec
from pydantic import Field, create_model

from onethread import event as events
from onethread.event import AnyFact, Attachment, Body, By, Claim, Foreign, Party, Quote
from unifier.api import schemas
from unifier.api.ids import attachment_id, shown_moment
from unifier.api.sanitize import clean
from unifier.api.schemas import FactDocument
from unifier.model import EntriesMoved, Joined, plain

_HIDDEN = frozenset({"aliases", "client_id", "auth_results", "reply_to", "target", "until_id", "username"})
"""Ids of the provider that `target` of the entry stands for, and what only helps to thread and to trust."""
_NO_ENTRIES = frozenset(
    {
        *("contact", "identity.changed", "contact.subscribed", "contact.unsubscribed", "channel.state"),
        *("link.set", "entries.move"),
    }
)
"""Facts about identities and channels, and commands: they never are a line of a timeline."""


class Showing(NamedTuple):
    """How to show what needs more than the fact.

    People by their party, messages by the provider's id, files by the scoped entry that holds them.
    """

    person: Callable[[Party], schemas.Person]
    message: Callable[[str], str]
    entry: str


# --- shapes --------------------------------------------------------------------------------------------------------


@cache
def _fields_of(struct: type[msgspec.Struct]) -> tuple[str, ...]:
    return tuple(name for name in struct.__struct_fields__ if name not in _HIDDEN)


@cache
def shape_of(struct: type[msgspec.Struct]) -> type[schemas.Document]:
    """The document of a struct of `onethread.event`."""
    if struct in _BY_HAND:
        return _BY_HAND[struct]
    hints = get_type_hints(struct)
    fields: dict[str, Any] = {name: (_type_of(hints[name]), Field()) for name in _fields_of(struct)}
    name = f"{struct.__name__}Fact" if issubclass(struct, events.Fact) else struct.__name__
    base = FactDocument if issubclass(struct, events.Fact) else schemas.Document
    return create_model(name, __base__=base, __doc__=(struct.__doc__ or "").split("\n")[0], **fields)


_ALONE: dict[Any, Any] = {
    str: str | None,
    datetime: schemas.Time,
    Party: schemas.Person,
    Attachment: schemas.Attachment,
    Body: schemas.Body | None,
    Claim: schemas.Address,
}
_BY_HAND: dict[type[msgspec.Struct], type[schemas.Document]] = {
    events.Failure: schemas.Failure,
    events.Quote: schemas.Quote,
}


def _type_of(hint: Any) -> Any:  # noqa: PLR0911 -- one line a form of type
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in _ALONE:
        return _ALONE[hint]
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return shape_of(hint)
    if origin is Literal:
        text = Annotated[str, Field(json_schema_extra={"examples": [value for value in arguments if value]})]
        return text | None if "" in arguments else text  # an open set: what is known today is no promise
    if origin is tuple:
        return list[str] if arguments[0] is str else list[_type_of(arguments[0])]  # type: ignore[misc]
    if origin in (types.UnionType, Union):
        return Union[tuple(_type_of(one) if one is not type(None) else None for one in arguments)]  # noqa: UP007 -- made of a list
    if origin is Annotated:
        return _type_of(arguments[0])
    return hint


class JoinedFact(FactDocument):
    """The strand's conversation is `root` from here on; it `was` another."""

    root: str
    was: str
    link_ids: list[str]
    by: schemas.By | None


class MovedFact(FactDocument):
    """A person moved entries from one conversation to another."""

    entry_ids: list[str]
    source: str = Field(serialization_alias="from")
    to: str
    by: schemas.By | None


SHAPES: dict[str, type[FactDocument]] = {
    **{
        str(fact.__struct_config__.tag): cast("type[FactDocument]", shape_of(fact))
        for fact in AnyFact.__args__
        if fact.__struct_config__.tag not in _NO_ENTRIES
    },
    "joined": JoinedFact,
    "moved": MovedFact,
}
"""By kind. The set of kinds grows within v1."""


# --- values --------------------------------------------------------------------------------------------------------


def shown(fact: AnyFact | Foreign, showing: Showing) -> FactDocument:
    """The fact as a document; of a kind this version does not know, an empty one."""
    if isinstance(fact, Foreign):
        return FactDocument()
    return cast("FactDocument", _Shown(showing).struct(fact))


def without_body(fact: AnyFact | Foreign, showing: Showing) -> FactDocument:
    """A message whose words are gone: the shape stays."""
    return shown(type(fact)(), showing).model_copy(update={"body": None})  # type: ignore[call-arg]


class _Shown:
    def __init__(self, showing: Showing) -> None:
        self._showing = showing
        self._files = 0

    def struct(self, value: msgspec.Struct) -> schemas.Document:
        shape = shape_of(type(value))
        return shape.model_construct(**{name: self.value(getattr(value, name)) for name in _fields_of(type(value))})

    def value(self, value: Any) -> Any:  # noqa: PLR0911 -- one line a form of value
        if not value:  # most fields of most facts
            return None if value == "" else [] if value == () else value
        match value:
            case Party():
                return self._showing.person(value)
            case Attachment():
                self._files += 1
                return attachment(value, self._showing.entry, self._files - 1)
            case Body():
                return body(value)
            case Quote():
                return self._quote(value)
            case Claim():
                return schemas.Address(type=value.type, value=value.value, scope=value.scope)
            case msgspec.Struct():
                return self.struct(value)
            case datetime():
                return shown_moment(value)
            case tuple():
                return [self.value(item) for item in value]
        return value

    def _quote(self, value: Quote) -> schemas.Quote:
        return schemas.Quote(
            entry_id=self._showing.message(value.external_id) if value.external_id else None,
            kind=value.kind,
            text=value.text or None,
            sender=self._showing.person(value.sender) if value.sender else None,
        )


def body(value: Body) -> schemas.Body:
    """A body, its HTML sanitised."""
    html, cut = clean(value.html) if value.html else (None, False)
    return schemas.Body(
        text=value.text or None,
        text_full=value.text_full or None,
        html=html or None,
        language=value.language or None,
        truncated=value.truncated or cut,
    )


def attachment(value: Attachment, entry: str, index: int) -> schemas.Attachment:
    """A file of the entry with this scoped id."""
    return schemas.Attachment(
        id=attachment_id(entry, index),
        kind=value.kind,
        filename=value.filename or None,
        media_type=value.media_type or None,
        size_bytes=value.size_bytes,
        sha256=value.sha256 or None,
        disposition=value.disposition,
        content_id=value.content_id or None,
        status=value.status,
        width=value.width,
        height=value.height,
    )


def files(fact: AnyFact | Foreign) -> tuple[Attachment, ...]:
    """The files of a fact, in the order their ids count them."""
    one = getattr(fact, "attachment", None)
    return (one,) if isinstance(one, Attachment) else getattr(fact, "attachments", ())


def parties(value: Any) -> Iterator[Party]:
    """Everybody named inside a fact."""
    if isinstance(value, Party):
        yield value
    elif isinstance(value, msgspec.Struct):
        for name in _naming(type(value)):
            if held := getattr(value, name):
                yield from parties(held)
    elif isinstance(value, tuple):
        for item in value:
            yield from parties(item)


@cache
def _naming(struct: type[msgspec.Struct]) -> tuple[str, ...]:
    """The fields of a struct in which somebody may be named, at any depth."""
    hints = get_type_hints(struct)
    return tuple(name for name in _fields_of(struct) if _may_name(hints[name]))


def _may_name(hint: Any) -> bool:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return hint is Party or bool(_naming(hint))
    return any(_may_name(one) for one in get_args(hint))


def by(value: By) -> schemas.By | None:
    """Who gave a command; None where nobody did."""
    if value == By():
        return None
    return schemas.By(key_id=value.key_id or None, agent=value.agent or value.program or None)


def joined(value: Joined) -> JoinedFact:
    """A strand's new conversation."""
    return JoinedFact(
        root=plain(value.root), was=plain(value.was), link_ids=[plain(one) for one in value.link_ids], by=None
    )


def moved(value: EntriesMoved) -> MovedFact:
    """The marker of a move."""
    return MovedFact(
        entry_ids=[plain(one) for one in value.entry_ids],
        source=plain(value.source),
        to=plain(value.to),
        by=by(value.by),
    )
