"""What an entrance does with a whole activity before anybody reads it: whose it is, what is secret in it, what to answer.

An activity of type `invoke` is answered in the HTTP response (Microsoft Learn, "Bot activity handlers in Teams: invoke activities", and
"Universal Actions for Adaptive Cards: response format"). It knows no event.
"""

from typing import Any

import msgspec

from onethread.connector import Answer, Raw

RECEIVED = "Received."
ANSWERS: dict[str, dict[str, Any]] = {
    "adaptiveCard/action": {
        "statusCode": 200,
        "type": "application/vnd.microsoft.activity.message",
        "value": RECEIVED,
    },
    "task/fetch": {"task": {"type": "message", "value": RECEIVED}},
    "task/submit": {"task": {"type": "message", "value": RECEIVED}},
}
"""What each kind of invoke wants to hear; the rest is content with an empty object."""


class _Envelope(msgspec.Struct, rename="camel"):
    """Just enough of an activity to know whose it is and what it asks for, whatever shape the rest has."""

    type: str
    name: Any = None
    conversation: Any = None
    channel_data: Any = None

    @property
    def tenant(self) -> str:
        """The tenant, "" where it says none."""
        told = _at(self.channel_data, "tenant", "id") or _at(self.conversation, "tenantId")
        return told.lower() if isinstance(told, str) else ""

    @property
    def called(self) -> str:
        """The name of an invoke or an event."""
        return self.name if isinstance(self.name, str) else ""


def _at(node: Any, *path: str) -> Any:
    """What stands there; None where nothing does."""
    for name in path:
        node = node.get(name) if isinstance(node, dict) else None
    return node


def record(body: bytes) -> Raw:
    """The activity as a record, for its tenant, without secrets. msgspec's errors mean that it is none."""
    envelope = msgspec.json.decode(body, type=_Envelope)
    data = _without_secrets(body, envelope.called) if envelope.type in {"invoke", "event"} else body
    return Raw(data, account=envelope.tenant)


def answer(body: bytes) -> Answer:
    """What to answer once the activity is durable."""
    try:
        envelope = msgspec.json.decode(body, type=_Envelope)
    except (ValueError, RecursionError):
        return Answer()  # set aside; there is nobody to answer to
    if envelope.type != "invoke":
        return Answer()
    said = ANSWERS.get(envelope.called, {})
    return Answer(msgspec.json.encode(said), media_type="application/json")


def _without_secrets(body: bytes, name: str) -> bytes:
    """Sign-in hands over tokens and codes, a file consent an address that anyone can write to, an action perhaps a token.

    Sign-in by a card hands them over in an event (Bot Framework SDKs, `tokens/response`).
    """
    activity = msgspec.json.decode(body, type=dict[str, Any])
    value = activity.get("value")
    if name.startswith(("signin/", "tokens/")):
        activity["value"] = None
    elif isinstance(value, dict):
        kept = {key: each for key, each in value.items() if key not in {"authentication", "state"}}
        upload = kept.get("uploadInfo")
        if isinstance(upload, dict):
            kept["uploadInfo"] = {key: each for key, each in upload.items() if key != "uploadUrl"}
        activity["value"] = kept
    return msgspec.json.encode(activity)
