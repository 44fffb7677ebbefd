"""The records of an Official Account as typed structs: decoding them checks them. It knows no event.

Sources: WeChat Developers, "Receiving standard messages", "Receiving event pushes", "Custom menu event pushes", "Template message
operations", "Subscription notification event push", "Verification event push", "Authorised user information change", "Getting users' basic
information (UnionID mechanism)".
"""

import msgspec

from im_ingest.weixin import fields


class Record(msgspec.Struct, frozen=True, rename="pascal"):
    """A message or an event. Which of the fields it has depends on `msg_type` and `event`."""

    from_user_name: str
    create_time: int
    msg_type: str
    msg_id: str = ""
    sent_id: str = msgspec.field(name="MsgID", default="")
    """Of a message that we sent: another spelling, another meaning."""
    content: str = ""
    msg_data_id: str = ""
    idx: str = ""
    menu_item: str = msgspec.field(name="bizmsgmenuid", default="")
    media_id: str = ""
    media_id_16k: str = msgspec.field(name="MediaId16K", default="")
    pic_url: str = ""
    format: str = ""
    recognition: str = ""
    location_x: str = msgspec.field(name="Location_X", default="")
    location_y: str = msgspec.field(name="Location_Y", default="")
    label: str = ""
    title: str = ""
    description: str = ""
    url: str = ""
    event: str = ""
    event_key: str = ""
    latitude: str = ""
    longitude: str = ""
    status: str = ""
    total_count: str = ""
    filter_count: str = ""
    sent_count: str = ""
    error_count: str = ""
    kf_account: str = ""
    from_kf_account: str = ""
    to_kf_account: str = ""
    close_type: str = ""
    open_id: str = msgspec.field(name="OpenID", default="")
    revoke_info: str = ""
    fail_reason: str = ""
    rest: dict[str, str] = {}
    """Fields of an element in an element, by path."""


class User(msgspec.Struct, frozen=True):
    """A person who follows the account, or followed it (`subscribe` 0: then nothing else is told)."""

    openid: str
    subscribe: int = 0
    unionid: str = ""
    language: str = ""
    remark: str = ""
    subscribe_scene: str = ""


def read(document: bytes) -> Record:
    """A record. Raises Poison and msgspec's errors for what is none."""
    found = fields(document)
    nested = {path: text for path, text in found.items() if "." in path}
    return msgspec.convert({**found, "Rest": nested}, Record, strict=False)
