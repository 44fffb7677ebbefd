"""What a message offers to choose from, and what was chosen, as typed structs. It knows no message.

Source: Meta for Developers, "WhatsApp Business Platform: Webhooks reference", interactive and button messages.
"""

import msgspec


class Words(msgspec.Struct):
    """A part of a message that has parts."""

    text: str | None = None


class Reply(msgspec.Struct):
    """What somebody chose of buttons or a list."""

    id: str | None = None
    title: str | None = None
    description: str | None = None


class FlowReply(msgspec.Struct):
    """What a flow (a form) gave; `response_json` is an object in a string."""

    response_json: str = ""
    body: str | None = None
    name: str | None = None


class CallPermission(msgspec.Struct):
    """Whether we may call, and until when (Unix seconds)."""

    response: str = ""
    expiration_timestamp: int | str | None = None


class Product(msgspec.Struct):
    """A product that a question is about."""

    catalog_id: str | None = None
    product_retailer_id: str = ""


class Interactive(msgspec.Struct):
    """The answer to an interactive message; or such a message, with words and perhaps a product, that another app sent."""

    type: str = ""
    button_reply: Reply | None = None
    list_reply: Reply | None = None
    nfm_reply: FlowReply | None = None
    call_permission_reply: CallPermission | None = None
    header: Words | None = None
    body: Words | None = None
    footer: Words | None = None
    action: Product | None = None
    product: Product | None = None


class Template(msgspec.Struct):
    """A template that another app sent: its name, and its words with their gaps."""

    name: str | None = None
    components: list[Words] | None = None


class Button(msgspec.Struct):
    """A quick reply of a template."""

    payload: str | None = None
    text: str | None = None
