"""The contract of the port StateStore as tests, with what is built on it: every adapter passes all of them. It knows no adapter.

Derive a class named `Test…` from `StateStoreContract` and give it the fixture `new_store`: a function that returns a further, not
yet opened `StateStore` on one and the same, at first empty state, as another process would have it. It must be picklable
(`functools.partial`), since it goes to a process that is killed.
"""
# ruff: noqa: D102  # a test's name is its sentence

import asyncio
import multiprocessing
import secrets
import uuid
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from onethread.connector import Token
from onethread.errors import Conflict, Misconfigured, Poison, Rejected, Retryable
from onethread.state.api_keys import ApiKeys, parse
from onethread.state.channel_states import ChannelStates, Reason
from onethread.state.cursors import LIMIT, Cursors
from onethread.state.leases import Lease, Leases
from onethread.state.port import Document, StateStore
from onethread.state.tokens import Tokens

NewStore = Callable[[], StateStore]

_SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors]
"""Examples share a store on purpose, and adapters this test: each example works on names of its own."""

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Hand:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        """Seconds."""
        return self.seconds


def held(lease: Lease | None) -> Lease:
    """The lease; fails if there is none."""
    assert lease is not None, "the lease was not given"
    return lease


class StateStoreContract:
    """What every state store does."""

    @pytest.fixture
    async def store(self, new_store: NewStore) -> AsyncIterator[StateStore]:
        async with new_store() as store:
            yield store

    # --- documents -------------------------------------------------------------------------------------------------

    async def test_what_was_put_is_there_for_others(self, store: StateStore, new_store: NewStore) -> None:
        assert await store.get("things", "a") is None
        put = await store.put("things", "a", b"\x00one\xff", 0)
        assert put == Document("a", 1, b"\x00one\xff")
        async with new_store() as other:
            assert await other.get("things", "a") == put
        assert await store.get("others", "a") is None

    async def test_a_put_needs_the_version_that_is_there(self, store: StateStore) -> None:
        await store.put("things", "a", b"one", 0)
        for wrong in (0, 2, 7):
            with pytest.raises(Conflict):
                await store.put("things", "a", b"two", wrong)
        with pytest.raises(Conflict):
            await store.put("things", "absent", b"two", 1)
        assert await store.get("things", "a") == Document("a", 1, b"one")
        assert (await store.put("things", "a", b"", 1)).version == 2
        assert await store.get("things", "a") == Document("a", 2, b"")

    async def test_a_version_is_never_given_again(self, store: StateStore) -> None:
        one = await store.put("things", "a", b"one", 0)
        with pytest.raises(Conflict):
            await store.delete("things", "a", one.version + 1)
        await store.delete("things", "a", one.version)
        assert await store.get("things", "a") is None
        assert await store.scan("things") == []
        for expect in (one.version, one.version + 1):
            with pytest.raises(Conflict):
                await store.put("things", "a", b"late", expect)
        with pytest.raises(Conflict):
            await store.delete("things", "a", one.version)
        again = await store.put("things", "a", b"two", 0)
        assert again.version > one.version
        assert await store.get("things", "a") == again

    async def test_what_is_removed_leaves_no_trace(self, store: StateStore) -> None:
        one = await store.put("things", "a", b"one", 0)
        for wrong in (0, one.version + 1):
            with pytest.raises(Conflict):
                await store.remove("things", "a", wrong)
        await store.remove("things", "a", one.version)
        assert await store.get("things", "a") is None
        assert await store.scan("things") == []
        with pytest.raises(Conflict):
            await store.remove("things", "a", one.version)
        assert await store.put("things", "a", b"two", 0) == Document("a", 1, b"two")
        await store.delete("things", "a", 1)
        with pytest.raises(Conflict):
            await store.remove("things", "a", 2)

    @pytest.mark.parametrize("expect", [0, 1])
    async def test_nothing_cannot_be_deleted(self, store: StateStore, expect: int) -> None:
        with pytest.raises(Conflict):
            await store.delete("things", "absent", expect)

    async def test_a_scan_finds_a_prefix_in_order(self, store: StateStore) -> None:
        for name in ("b/2", "b/10", "a", "b", "b/", "b0", "c", "b/ü", "b/\U0010ffff", "B/1", "%", "b/.$"):
            await store.put("things", name, name.encode(), 0)
        await store.put("others", "b/3", b"", 0)
        found = await store.scan("things", "b/")
        assert [one.id for one in found] == ["b/", "b/.$", "b/10", "b/2", "b/ü", "b/\U0010ffff"]
        assert all(one.value == one.id.encode() and one.version == 1 for one in found)
        assert len(await store.scan("things")) == 12
        assert await store.scan("things", "b/2/") == []
        assert await store.scan("nothing") == []

    async def test_of_many_writers_at_once_one_wins(self, new_store: NewStore) -> None:
        async with AsyncExitStack() as stack:
            stores = [await stack.enter_async_context(new_store()) for _ in range(4)]

            async def add(store: StateStore, who: int) -> int:
                lost = 0
                for _ in range(10):
                    while True:
                        now = await store.get("things", "counter")
                        value = (now.value if now else b"") + b"%d" % who
                        try:
                            await store.put("things", "counter", value, now.version if now else 0)
                        except Conflict:
                            lost += 1
                            continue
                        break
                return lost

            await asyncio.gather(*(add(store, who) for who, store in enumerate(stores)))
            final = await stores[0].get("things", "counter")
        assert final is not None
        assert final.version == 40
        assert Counter(final.value) == {ord(str(who)): 10 for who in range(4)}

    async def test_of_many_creators_at_once_one_wins(self, new_store: NewStore) -> None:
        async with AsyncExitStack() as stack:
            stores = [await stack.enter_async_context(new_store()) for _ in range(4)]
            for round_ in range(5):
                writes = [store.put("things", f"{round_}", b"%d" % who, 0) for who, store in enumerate(stores)]
                results = await asyncio.gather(*writes, return_exceptions=True)
                winners = [result for result in results if isinstance(result, Document)]
                assert len(winners) == 1
                assert all(isinstance(result, Document | Conflict) for result in results)
                assert await stores[0].get("things", f"{round_}") == winners[0]

    async def test_a_killed_writer_leaves_what_it_was_told_is_written(self, new_store: NewStore) -> None:
        spawning = multiprocessing.get_context("spawn")
        acknowledged = 0
        for _ in range(3):
            here, there = spawning.Pipe(duplex=False)
            writer = spawning.Process(target=_count_up, args=(new_store, there), daemon=True)
            writer.start()
            there.close()
            acknowledged = await asyncio.to_thread(_kill_after, 20, here, writer)
            async with new_store() as store:
                now = await store.get("things", "count")
                assert now is not None
                # What was on its way when the writer died may be there too.
                assert int(now.value) in (acknowledged, acknowledged + 1)
                await store.put("things", "count", now.value, now.version)

    # --- leases and cursors ----------------------------------------------------------------------------------------

    async def test_of_two_contenders_one_gets_the_lease(self, new_store: NewStore) -> None:
        async with new_store() as left, new_store() as right:
            one, two = Leases(left, "one"), Leases(right, "two")
            given_ = await asyncio.gather(one.acquire("chn_1", ""), two.acquire("chn_1", ""))
            assert sum(lease is not None for lease in given_) == 1
            assert held(await two.acquire("chn_1", "other")).fence == 1

    async def test_a_lease_is_taken_over_only_after_its_version_stood_still(self, new_store: NewStore) -> None:
        async with new_store() as left, new_store() as right:
            slow, fast = Hand(), Hand()
            fast.seconds = 9e9  # clocks of two machines have nothing in common
            one = Leases(left, "one", ttl=10, clock=slow)
            two = Leases(right, "two", ttl=10, clock=fast)
            lease = held(await one.acquire("chn_1", "INBOX"))
            assert await two.acquire("chn_1", "INBOX") is None
            fast.seconds += 9.9
            assert await two.acquire("chn_1", "INBOX") is None
            lease = await one.renew(lease)
            fast.seconds += 5
            assert await two.acquire("chn_1", "INBOX") is None  # it was renewed: watching begins anew
            fast.seconds += 9.9
            assert await two.acquire("chn_1", "INBOX") is None
            fast.seconds += 0.2
            taken = held(await two.acquire("chn_1", "INBOX"))
            assert taken.fence > lease.fence
            with pytest.raises(Conflict):
                await one.renew(lease)
            assert await one.acquire("chn_1", "INBOX") is None
            await one.release(lease)  # a zombie's release takes nothing away
            assert held(await two.renew(taken)).fence == taken.fence

    async def test_a_released_lease_is_free_at_once_and_its_fence_goes_on(self, store: StateStore) -> None:
        one, two = Leases(store, "one"), Leases(store, "two")
        first = held(await one.acquire("chn_1", ""))
        await one.release(first)
        second = held(await two.acquire("chn_1", ""))
        assert second.fence == first.fence + 1
        with pytest.raises(Conflict):
            await one.renew(first)

    async def test_a_renewal_whose_answer_was_lost_is_no_loss(self, store: StateStore) -> None:
        one = Leases(store, "one")
        lease = held(await one.acquire("chn_1", ""))
        await one.renew(lease)
        assert (await one.renew(lease)).fence == lease.fence

    async def test_a_lease_says_until_when_it_is_certain(self, store: StateStore) -> None:
        clock = Hand()
        one = Leases(store, "one", ttl=10, clock=clock)
        lease = held(await one.acquire("chn_1", ""))
        clock.seconds += 4
        assert one.remaining(lease) == 6
        assert one.remaining(await one.renew(lease)) == 10
        clock.seconds += 11
        assert one.remaining(lease) == 0

    async def test_a_restarted_holder_of_the_same_lease_waits_like_others(self, store: StateStore) -> None:
        clock = Hand()
        first = held(await Leases(store, "pod-a/1", ttl=10, clock=clock).acquire("chn_1", ""))
        again = Leases(store, "pod-a/2", ttl=10, clock=clock)
        assert await again.acquire("chn_1", "") is None
        clock.seconds += 10
        assert held(await again.acquire("chn_1", "")).fence == first.fence + 1

    async def test_a_cursor_is_kept_for_each_resource(self, store: StateStore, new_store: NewStore) -> None:
        cursors = Cursors(store)
        assert await cursors.load("chn_1", "INBOX") is None
        await cursors.save("chn_1", "INBOX", "uid 5 \U0001f600", 1)
        await cursors.save("chn_1", "INBOX", "uid 6", 1)
        await cursors.save("chn_1", "Sent", "", 1)
        async with new_store() as other:
            assert await Cursors(other).load("chn_1", "INBOX") == "uid 6"
            assert await Cursors(other).load("chn_1", "Sent") == ""

    async def test_a_zombies_cursor_is_refused(self, new_store: NewStore) -> None:
        async with new_store() as left, new_store() as right:
            clock = Hand()
            one, two = Leases(left, "one", ttl=5, clock=clock), Leases(right, "two", ttl=5, clock=clock)
            old = held(await one.acquire("chn_1", ""))
            await Cursors(left).save("chn_1", "", "10", old.fence)
            assert await two.acquire("chn_1", "") is None
            clock.seconds += 5
            new = held(await two.acquire("chn_1", ""))
            assert await Cursors(right).take("chn_1", "", new.fence) == "10"
            with pytest.raises(Conflict):
                await Cursors(left).save("chn_1", "", "9", old.fence)  # refused before the new holder saved anything
            await Cursors(right).save("chn_1", "", "11", new.fence)
            with pytest.raises(Conflict):
                await Cursors(left).save("chn_1", "", "12", old.fence)
            with pytest.raises(Conflict):
                await Cursors(left).take("chn_1", "", old.fence)
            assert await Cursors(left).load("chn_1", "") == "11"

    async def test_a_cursor_over_its_limit_is_refused(self, store: StateStore) -> None:
        await Cursors(store).save("chn_1", "", "x" * LIMIT, 1)
        with pytest.raises(Poison):
            await Cursors(store).save("chn_1", "", "ü" * (LIMIT // 2) + "x", 1)
        assert await Cursors(store).load("chn_1", "") == "x" * LIMIT

    @settings(max_examples=15, deadline=None, suppress_health_check=_SHARED)
    @given(saves=st.lists(st.tuples(st.text(max_size=20), st.integers(1, 5)), min_size=1, max_size=8))
    async def test_the_highest_fence_has_the_last_word(self, store: StateStore, saves: list[tuple[str, int]]) -> None:
        cursors, resource, highest, kept = Cursors(store), str(uuid.uuid4()), 0, ""
        for cursor, fence in saves:
            if fence < highest:
                with pytest.raises(Conflict):
                    await cursors.save("chn_1", resource, cursor, fence)
            else:
                await cursors.save("chn_1", resource, cursor, fence)
                highest, kept = fence, cursor
        assert await cursors.load("chn_1", resource) == kept

    # --- tokens ----------------------------------------------------------------------------------------------------

    async def test_a_token_is_renewed_once_by_all_replicas_together(self, new_store: NewStore) -> None:
        keys = [SecretStr(secrets.token_urlsafe())]
        renewed: list[Token | None] = []

        async def renew(old: Token | None) -> Token:
            renewed.append(old)
            await asyncio.sleep(0)
            return Token(f"access-{len(renewed)}", NOON + timedelta(hours=1), f"refresh-{len(renewed)}")

        async with AsyncExitStack() as stack:
            stores = [await stack.enter_async_context(new_store()) for _ in range(3)]
            every = [
                Tokens(store, keys, Leases(store, f"replica-{number}"), now=lambda: NOON)
                for number, store in enumerate(stores)
            ]
            got = await asyncio.gather(*(tokens.token("chn_1", "oauth", renew) for tokens in every * 2))
            assert got == ["access-1"] * 6
            assert renewed == [None]
            later = Tokens(stores[0], keys, Leases(stores[0], "later"), now=lambda: NOON + timedelta(minutes=59))
            assert await later.token("chn_1", "oauth", renew) == "access-2"
            assert renewed[1] == Token("access-1", NOON + timedelta(hours=1), "refresh-1")

    async def test_a_token_is_stored_before_use_even_if_its_caller_is_gone(self, store: StateStore) -> None:
        asked, answer = asyncio.Event(), asyncio.Event()

        async def renew(_old: Token | None) -> Token:
            asked.set()
            await answer.wait()
            return Token("access", NOON + timedelta(hours=1), "refresh")

        keys = [SecretStr(secrets.token_urlsafe())]
        tokens = Tokens(store, keys, Leases(store, "one"), now=lambda: NOON)
        caller = asyncio.create_task(tokens.token("chn_1", "oauth", renew))
        await asked.wait()
        caller.cancel()
        answer.set()
        with pytest.raises(asyncio.CancelledError):
            await caller

        async def unwanted(_old: Token | None) -> Token:
            raise AssertionError("the token that came was not stored")

        assert await tokens.token("chn_1", "oauth", unwanted) == "access"

    async def test_a_renewal_that_fails_leaves_the_token_and_frees_the_lease(self, store: StateStore) -> None:
        keys = [SecretStr(secrets.token_urlsafe())]
        tokens = Tokens(store, keys, Leases(store, "one"), now=lambda: NOON)

        async def refuse(_old: Token | None) -> Token:
            raise Retryable("the provider is down")

        async def give(old: Token | None) -> Token:
            assert old is None
            return Token("access", NOON + timedelta(hours=1))

        with pytest.raises(Retryable, match="provider is down"):
            await tokens.token("chn_1", "oauth", refuse)
        assert await tokens.token("chn_1", "oauth", give) == "access"

    async def test_a_token_is_encrypted_and_its_key_can_be_replaced(self, store: StateStore) -> None:
        old, new = (SecretStr(secrets.token_urlsafe()) for _ in range(2))

        async def give(_old: Token | None) -> Token:
            return Token("plain-access-secret", NOON + timedelta(hours=1), "plain-refresh-secret")

        async def unwanted(_old: Token | None) -> Token:
            raise AssertionError("the stored token was not used")

        leases = Leases(store, "one")
        await Tokens(store, [old], leases, now=lambda: NOON).token("chn_1", "oauth", give)
        (document,) = await store.scan("tokens")
        assert b"plain" not in document.value
        rotated = Tokens(store, [new, old], leases, now=lambda: NOON)
        assert await rotated.token("chn_1", "oauth", unwanted) == "plain-access-secret"
        with pytest.raises(Misconfigured, match="keys"):
            await Tokens(store, [new], leases, now=lambda: NOON).token("chn_1", "oauth", unwanted)
        await store.put("tokens", "chn_2/oauth", document.value, 0)
        with pytest.raises(Misconfigured, match="chn_1"):
            await rotated.token("chn_2", "oauth", unwanted)

    async def test_keys_that_are_none_are_refused_by_name(self, store: StateStore) -> None:
        for keys in ([], [SecretStr("short")]):
            with pytest.raises(Misconfigured, match="keys"):
                Tokens(store, keys, Leases(store, "one"))

    # --- channel states --------------------------------------------------------------------------------------------

    async def test_a_channel_state_says_since_when_and_why(self, store: StateStore) -> None:
        states = ChannelStates(store)
        assert await states.get("chn_1") is None
        await states.report("chn_1", "starting", now=NOON)
        reason = Reason("http_503", "the provider is down", "Nothing: it is tried again.")
        later = NOON + timedelta(minutes=1)
        failing = await states.report("chn_1", "failing", now=later, reason=reason, next_try_at=NOON)
        assert (failing.since, failing.reason, failing.next_try_at) == (later, reason, NOON)
        again = await states.report("chn_1", "failing", now=NOON + timedelta(hours=1), reason=reason)
        assert (again.since, again.next_try_at) == (later, None)
        await states.saw_message("chn_1", NOON)
        await states.saw_message("chn_1", NOON - timedelta(hours=1))
        healthy = await states.report("chn_1", "healthy", now=NOON)
        assert (healthy.reason, healthy.last_message_at) == (Reason(), NOON)
        await states.report("chn_0", "paused", now=NOON)
        assert [(one.channel, one.state) for one in await states.list()] == [("chn_0", "paused"), ("chn_1", "healthy")]

    async def test_a_state_reported_again_is_not_written_again(self, store: StateStore) -> None:
        states = ChannelStates(store)
        await states.report("chn_1", "healthy", now=NOON)
        (before,) = await store.scan("channel_states")
        await states.report("chn_1", "healthy", now=NOON + timedelta(days=1))
        assert await store.scan("channel_states") == [before]

    # --- API keys --------------------------------------------------------------------------------------------------

    async def test_an_api_key_is_shown_once_and_verified(self, store: StateStore) -> None:
        keys = ApiKeys(store)
        text, key = await keys.create("acme", "desk", ("conversations:read",), now=NOON)
        assert await keys.verify(text, NOON) == key
        _, secret = parse(text)
        assert len(secret) == 43
        (document,) = await store.scan("api_keys")
        assert secret.encode() not in document.value

    async def test_an_api_key_ends_by_time_and_by_hand(self, store: StateStore) -> None:
        keys = ApiKeys(store)
        text, key = await keys.create("acme", "desk", (), now=NOON, expires_at=NOON + timedelta(days=1))
        with pytest.raises(Rejected):
            await keys.verify(text, NOON + timedelta(days=1))
        assert await keys.revoke("other", key.id, NOON) is None
        assert await keys.verify(text, NOON) == key
        revoked = await keys.revoke("acme", key.id, NOON)
        assert await keys.revoke("acme", key.id, NOON + timedelta(hours=1)) == revoked
        with pytest.raises(Rejected):
            await keys.verify(text, NOON)
        assert await keys.list("acme") == [revoked]

    async def test_a_tenant_sees_only_its_own_api_keys(self, store: StateStore) -> None:
        keys = ApiKeys(store)
        mine = [(await keys.create("a", name, (), now=NOON + timedelta(seconds=place)))[1] for place, name in
                enumerate("xy")]  # fmt: skip
        await keys.create("ab", "z", (), now=NOON)
        assert await keys.list("a") == mine
        assert await keys.list("b") == []

    async def test_what_is_no_api_key_is_refused_unread(self, new_store: NewStore) -> None:
        unopened = ApiKeys(new_store())  # asking it would be an error of another kind
        async with new_store() as store:
            text, _ = await ApiKeys(store).create("acme", "desk", (), now=NOON)
            other, _ = await ApiKeys(store).create("acme", "desk", (), now=NOON)
            swapped = "_".join([*text.split("_")[:2], *other.split("_")[2:]])
            typed = text.replace(text[30], "x" if text[30] != "x" else "y", 1)
            for wrong in ("", "otk_", text[:-1], text + "0", text.upper(), typed, swapped, text + "\n", "é" * 72):
                with pytest.raises(Rejected):
                    await unopened.verify(wrong, NOON)
            forged = f"{swapped[:-8]}{_crc(swapped[:-9])}"
            with pytest.raises(Rejected):
                await ApiKeys(store).verify(forged, NOON)


def _crc(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


def _count_up(new_store: NewStore, told: Connection) -> None:
    async def count() -> None:
        async with new_store() as store:
            while True:
                now = await store.get("things", "count")
                number = int(now.value) + 1 if now else 1
                await store.put("things", "count", b"%d" % number, now.version if now else 0)
                told.send(number)

    asyncio.run(count())


def _kill_after(count: int, told: Connection, writer: multiprocessing.process.BaseProcess) -> int:
    """Kill the writer after so many acknowledged writes; the number of the last one that it was told."""
    last = 0
    for _ in range(count):
        last = told.recv()
    writer.kill()
    writer.join()
    try:
        while True:
            last = told.recv()
    except EOFError:
        return last
