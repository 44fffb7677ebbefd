"""What the operations share: stores, clock, cursors, limits. Made once by `app.create_app`; handlers ask for it by type."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from starlette.requests import Request

from onethread.blobs import Blobs
from onethread.state.port import StateStore
from unifier.api.auth import Authenticator
from unifier.api.cursors import Cursors
from unifier.api.limits import Limits
from unifier.api.reading import Reader
from unifier.api.views import ChannelInfo
from unifier.store.port import ConversationStore


class Services(NamedTuple):
    """The parts of one API. `now`: Unix milliseconds."""

    store: ConversationStore
    state: StateStore
    blobs: Blobs
    channels: Sequence[ChannelInfo]
    cursors: Cursors
    limits: Limits
    authenticator: Authenticator
    reader: Reader
    now: Callable[[], int]


def services_of(request: Request) -> Services:
    """The parts of the API that a request came to."""
    services = request.app.state.services
    assert isinstance(services, Services)
    return services
