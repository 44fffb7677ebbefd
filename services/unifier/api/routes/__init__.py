"""The operations. Each file is one kind of thing; a router that is in `ROUTERS` is served, documented and guarded."""

from fastapi import APIRouter

from unifier.api.routes import attachments, channels, conversations, customers, entries, me

ROUTERS: tuple[APIRouter, ...] = (
    me.router,
    conversations.router,
    entries.router,
    customers.router,
    attachments.router,
    channels.router,
)
