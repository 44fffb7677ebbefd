"""The unifier as a service: the worker, and the conversation API. What to open comes from the settings."""

import asyncio

from onethread import assembly
from onethread.connector import Sends
from onethread.host.channel import Channels
from onethread.host.process import Process
from onethread.settings import GroupingSettings, Settings
from unifier.api.app import ChannelInfo, create_app
from unifier.policy import HOUR, Policies, Policy
from unifier.store.port import ConversationStore
from unifier.worker import Worker, wall_clock


def conversation_store(settings: Settings) -> ConversationStore:
    """The store that `store.url` names. Raises Misconfigured for a URL of no adapter."""
    url = settings.store.url.get_secret_value()
    if url.startswith(assembly.DATABASE_PREFIXES):
        from unifier.store.mongo import MongoConversations

        return MongoConversations(url, settings.store.database)
    from unifier.store.sqlite import SqliteConversations

    return SqliteConversations(assembly.store_folder(settings) / "conversations.sqlite")


def policies(settings: Settings) -> Policies:
    """Grouping by channel, else tenant, else the default; what one level leaves open comes from the next."""
    default = _policy(settings.grouping, Policy())
    tenants = {name: _policy(tenant, default) for name, tenant in settings.tenants.items()}
    channels = {
        (one.tenant, one.id): _policy(one, tenants.get(one.tenant, default))
        for one in settings.channels
        if one.grouping or one.idle_hours
    }
    return Policies(default, tenants, channels)


def _policy(said: GroupingSettings, otherwise: Policy) -> Policy:
    window = int(said.idle_hours * HOUR) if said.idle_hours else otherwise.window
    return Policy(grouping=said.grouping or otherwise.grouping, window=window)


def add_to(process: Process, channels: Channels) -> None:
    """The whole unifier: worker and API over one store. `channels`: all there are, which the API shows."""
    store = conversation_store(process.settings)
    process.opens("store", store, store.epoch)
    process.prepares(store.create_indexes)
    _add_worker(process, store)
    _add_api(process, store, channels)


def process(settings: Settings, channels: Channels) -> Process:
    """The unifier as a process of its own."""
    service = Process(settings, "unifier", {})
    add_to(service, channels)
    return service


def _add_worker(process: Process, store: ConversationStore) -> None:
    """One worker of the group."""
    settings = process.settings
    worker = Worker(
        process.log,
        store,
        process.blobs,
        member=process.member,
        policies=policies(settings),
        state=process.state,
        row_limit=settings.unifier.halt_after,
    )
    stop, ended = asyncio.Event(), asyncio.Event()

    async def run() -> None:
        try:
            await worker.run(stop)
        finally:
            ended.set()

    async def finish() -> None:
        stop.set()
        if process.ready.is_set():
            await ended.wait()

    process.runs("unifier", run, finish)
    process.watches("unifier", worker.waiting)
    process.health.tells(lambda: worker.halted)


def _add_api(process: Process, store: ConversationStore, channels: Channels) -> None:
    """The conversation API, on the process's HTTP entrance."""
    names = {one.id: one.name for one in process.settings.channels}
    shown = [
        ChannelInfo(
            id=one.id,
            tenant=one.tenant,
            name=names.get(one.id, ""),
            connector=one.connector.name,
            network=one.network,
            account=one.account,
            abilities=("reply",) if isinstance(one.connector, Sends) else (),
        )
        for one in channels
    ]
    keys = [key.get_secret_value().encode() for key in process.keys]
    process.mounts("/", create_app(store, process.state, process.blobs, shown, cursor_keys=keys, now=wall_clock))
