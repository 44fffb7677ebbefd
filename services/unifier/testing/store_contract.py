"""The contract of the port ConversationStore as tests: every adapter passes all of them. It knows no adapter.

Derive a class named `Test…` from `ConversationStoreContract` and give it the fixture `new_store`: a function that returns a
further, not yet opened `ConversationStore` on one and the same, at first empty database, as another process would have it. It must be
picklable (`functools.partial`), since it goes to a process that is killed.
"""
# ruff: noqa: D102  # a test's name is its sentence

from collections.abc import AsyncIterator, Callable

import pytest

from unifier.store.port import ConversationStore
from unifier.testing.store_audit import AuditContract
from unifier.testing.store_entries import EntriesContract
from unifier.testing.store_faults import FaultsContract
from unifier.testing.store_heads import HeadsContract
from unifier.testing.store_keys import KeysContract
from unifier.testing.store_links import LinksContract
from unifier.testing.store_reading import ReadingContract

NewStore = Callable[[], ConversationStore]


class ConversationStoreContract(
    EntriesContract, KeysContract, LinksContract, HeadsContract, ReadingContract, AuditContract, FaultsContract
):
    """What every conversation store does."""

    @pytest.fixture
    async def store(self, new_store: NewStore) -> AsyncIterator[ConversationStore]:
        async with new_store() as store:
            await store.create_indexes()
            yield store

    async def test_indexes_are_created_once_and_named(self, new_store: NewStore) -> None:
        async with new_store() as store, new_store() as other:
            lines = await store.create_indexes()
            assert lines
            assert all("index" in line for line in lines)
            assert await other.create_indexes() == []
            assert await other.epoch() == 1

    async def test_opening_and_closing_may_be_repeated(self, new_store: NewStore) -> None:
        store = new_store()
        for _ in range(2):
            async with store:
                await store.open()
                assert await store.epoch() == 1
            await store.close()
