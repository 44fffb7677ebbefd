"""What comes of buttons, menus, forms and commands of Slack as typed structs: decoding them checks them. It knows no event.

Source: Slack API docs, "Handling user interaction in your Slack apps", "Slash commands", "Block Kit: Block elements".
"""

from typing import Any

import msgspec


class Named(msgspec.Struct):
    """Somebody or something by its id."""

    id: str | None = None
    name: str | None = None
    username: str | None = None
    team_id: str | None = None


class Label(msgspec.Struct):
    """A text of Block Kit."""

    text: str | None = None


Element = dict[str, Any]
"""A button, menu or field, as it is: each kind has what was chosen in a field of its own."""


class State(msgspec.Struct):
    """The fields of a form, or beside a button: by block, by action."""

    values: dict[str, dict[str, Element]] | None = None


class View(msgspec.Struct):
    """A form."""

    id: str | None = None
    callback_id: str | None = None
    hash: str | None = None
    state: State | None = None
    title: Label | None = None
    app_installed_team_id: str | None = None


class Container(msgspec.Struct):
    """Where the button was."""

    message_ts: str | None = None
    thread_ts: str | None = None
    channel_id: str | None = None


class Where(msgspec.Struct):
    """The message of a shortcut or a button."""

    ts: str | None = None
    thread_ts: str | None = None


class Interaction(msgspec.Struct):
    """What comes when somebody uses a button, a menu, a shortcut or a form.

    `message_ts`: of buttons under an attachment; `submission`: the fields of a dialog. Both are of the time before Block Kit.
    """

    type: str
    user: Named
    team: Named | None = None
    channel: Named | None = None
    container: Container | None = None
    message: Where | None = None
    message_ts: str | None = None
    original_message: Where | None = None
    actions: list[Element] | None = None
    state: State | str | None = None
    submission: dict[str, str | None] | None = None
    view: View | None = None
    callback_id: str | None = None
    action_ts: str | None = None


class Command(msgspec.Struct):
    """A slash command."""

    command: str
    user_id: str
    text: str = ""
    team_id: str = ""
    channel_id: str = ""
    channel_name: str = ""
    user_name: str = ""
