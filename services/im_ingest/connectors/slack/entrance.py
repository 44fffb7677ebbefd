"""What Slack hands over as records, by webhook or socket: whose it is, and without secrets. It knows no event.

Slack API docs, "Verifying requests from Slack": the legacy `token` is in every body; it authenticates nothing, and is not kept.
`trigger_id`, `response_url`, `bot_access_token` and `action_token` let whoever has them act in the app's name.
"""

import re
from collections.abc import Iterator, Mapping

import msgspec

from im_ingest import salvage
from im_ingest.connectors.slack.entities import Authorization
from im_ingest.connectors.slack.forms import Named, View
from onethread.connector import Raw, Request
from onethread.errors import Poison
from onethread.identity import digest

EVENT, INTERACTION, COMMAND, USER = "event", "interaction", "command", "user"
"""Forms of our records; USER is what a look-up brings."""

FORMS = {"events_api": EVENT, "interactive": INTERACTION, "slash_commands": COMMAND}
"""By the type of an envelope of Socket Mode."""

SECRETS = frozenset({
    "token", "trigger_id", "response_url", "response_urls", "bot_access_token", "action_token", "interactivity",
})  # fmt: skip
MENTIONED = re.compile(rb'"(?:' + b"|".join(sorted(name.encode() for name in SECRETS)) + rb')"\s*:')
DAMAGED = (msgspec.MsgspecError, UnicodeError, RecursionError)
Json = dict[str, msgspec.Raw]


class _Whose(msgspec.Struct):
    """Where the workspace stands: it differs by form."""

    authorizations: list[Authorization] | None = None
    context_team_id: str | None = None
    team_id: str | None = None
    team: Named | None = None
    user: Named | None = None
    view: View | None = None


def records(request: Request) -> Iterator[Raw]:
    """The record of a request: an event as JSON, else a form. Raises Poison, and what msgspec raises."""
    if request.body.lstrip()[:1] == b"{":
        yield record(EVENT, request.body)
        return
    form = request.form()
    if "payload" in form:
        yield record(INTERACTION, form["payload"].encode("utf-8", "replace"))
    elif "command" in form:
        yield record(COMMAND, msgspec.json.encode(form))
    else:
        raise Poison("the body is neither an event nor a form of Slack's")


def record(form: str, data: bytes) -> Raw:
    """A record for the workspace that it names. A command's trigger stands as a digest: nothing else tells two of them apart."""
    fields = msgspec.json.decode(data, type=Json)
    about: dict[str, str] = {}
    if form == COMMAND and "trigger_id" in fields:
        about["trigger"] = digest(bytes(fields["trigger_id"]).decode())
    return Raw(_without_secrets(fields), form=form, account=_workspace(data), about=about)


def _without_secrets(fields: Mapping[str, msgspec.Raw]) -> bytes:
    """Objects in it are opened where a secret is named in them; all else stays as it came."""
    kept = {name: value for name, value in fields.items() if name not in SECRETS}
    for name, value in kept.items():
        if MENTIONED.search(value):
            try:
                kept[name] = msgspec.Raw(_without_secrets(msgspec.json.decode(value, type=Json)))
            except DAMAGED:
                continue  # a list, or no JSON: whoever reads it sets it aside
    return msgspec.json.encode(kept)


def _workspace(data: bytes) -> str:
    """The workspace by whose installation we get it. In shared channels `team_id` may be another one; "" where none is named."""
    try:
        whose, _ = salvage.decoded(data, _Whose)
    except DAMAGED:
        return ""
    installed = whose.view.app_installed_team_id if whose.view else None
    authorised = whose.authorizations[0].team_id if whose.authorizations else None
    team = whose.team.id if whose.team else None
    home = whose.user.team_id if whose.user else None
    return installed or authorised or whose.context_team_id or team or whose.team_id or home or ""
