"""What people do with an app of the simulator of Slack beside writing: buttons, forms, commands, as Slack's payloads. It knows no delivery.

Slack API docs, "Handling user interaction in your Slack apps" and "Slash commands": each is sent once, and the person sees an error if it is
not answered within three seconds. Each holds a trigger and mostly a `response_url`, by which an app may answer.
"""

import secrets
from typing import Any

Json = dict[str, Any]
RESPOND = "https://hooks.slack.com/actions/sample"


def pressed(app: str, team: str, user: str, message: Json, button: Json) -> Json:
    """Somebody uses a button under a message."""
    at: Json = {"container": {"type": "message", "message_ts": message["ts"], "channel_id": message["channel"]}}
    where: Json = {"channel": {"id": message["channel"]}, "message": {"ts": message["ts"]}, **at}
    return {"type": "block_actions", "actions": [button], **where, **_of(app, team, user)}


def submitted(app: str, team: str, user: str, callback: str, fields: dict[str, str]) -> Json:
    """Somebody sends a form of text fields."""
    values = {name: {"text": {"type": "plain_text_input", "value": value}} for name, value in fields.items()}
    view: Json = {"id": f"V{secrets.token_hex(4)}", "callback_id": callback, "hash": "1.a", "state": {"values": values}}
    return {"type": "view_submission", "view": view, "response_urls": [], **_of(app, team, user)}


def commanded(app: str, team: str, user: str, channel: str, command: str, text: str) -> dict[str, str]:
    """Somebody calls a command: a form."""
    who = {
        "team_id": team,
        "user_id": user,
        "user_name": user.lower(),
        "channel_id": channel,
        "channel_name": "support",
    }
    what = {"command": command, "text": text, "api_app_id": app, "is_enterprise_install": "false"}
    return {"token": "legacy-token", **who, **what, "response_url": RESPOND, "trigger_id": secrets.token_hex(8)}


def _of(app: str, team: str, user: str) -> Json:
    who = {"id": user, "username": user.lower(), "name": user.lower(), "team_id": team}
    secret = {"token": "legacy-token", "trigger_id": secrets.token_hex(8), "response_url": RESPOND}
    return {"user": who, "team": {"id": team}, "api_app_id": app, **secret}
