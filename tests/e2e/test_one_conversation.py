"""Three channels, one person, one conversation: real processes, real servers, the API as desks see it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from e2e.deployment import KEY, Deployment, Desk, deployed, until
from e2e.people import ADDRESS, MASTODON_USER, PASSWORD, USER, Providers

from onethread.log.topics import MESSAGES
from onethread.testing.servers.imap import ImapServer
from unifier.worker import GROUP

ALL_IN_ONE = [["up"]]
SEPARATE = [["run", "email_ingest"], ["run", "im_ingest"], ["run", "social_ingest"], ["run", "unifier"]]


@pytest.mark.parametrize("mail", ["dovecot", "pymap"])
async def test_embedded(tmp_path: Path, mail: str, request: pytest.FixtureRequest) -> None:
    server = request.getfixturevalue(f"new_{mail}_server")({USER: PASSWORD})
    await tells_the_story(tmp_path, server, {"data": str(tmp_path / "data")}, ALL_IN_ONE)


@pytest.mark.parametrize("mail", ["dovecot", "pymap"])
async def test_kafka_and_mongodb(
    tmp_path: Path, mail: str, request: pytest.FixtureRequest, new_kafka_server: Callable[[], Any], mongo_server: Any
) -> None:
    server = request.getfixturevalue(f"new_{mail}_server")({USER: PASSWORD})
    settings = {
        "data": str(tmp_path / "data"),
        "log": {"url": f"kafka://{new_kafka_server().bootstrap}", "partitions": 4, "replication": 1},
        "store": {"url": mongo_server.url, "database": f"e2e_{uuid4().hex[:12]}"},
    }
    await tells_the_story(tmp_path, server, settings, SEPARATE)


async def tells_the_story(folder: Path, mail: ImapServer, settings: dict[str, Any], services: list[list[str]]) -> None:
    async with Providers(mail) as people:
        settings |= {"keys": [KEY], "channels": people.channels()}
        async with deployed(folder, settings, services) as onethread:
            key = await onethread.command(
                "api-key", "create", "desk", "--scope", "conversations:read", "--scope", "customers:read"
            )
            desk = Desk(onethread.api_url, key["key"])
            await her_messages_become_one_conversation(onethread, people, desk)
            await undoing_a_link_takes_out_what_it_brought(onethread, desk)
            await the_same_traffic_changes_nothing(onethread, people, desk)
            await desk.http.aclose()


async def her_messages_become_one_conversation(onethread: Deployment, people: Providers, desk: Desk) -> None:
    people.writes_a_mail()
    await until(lambda: there_are(desk, 1), "the mail is readable")
    link = await onethread.command("deep-link", f"email:{ADDRESS}", "--channel", "chn_telegram")
    await until(lambda: is_true(people.telegram.webhook), "the webhook is registered")
    await people.opens_the_bot(link["url"])
    await until(lambda: there_are(desk, 2), "the Telegram message is readable")
    said = await onethread.command("link", f"email:{ADDRESS}", f"mastodon_user:{MASTODON_USER}")
    assert said["done"]
    await until(lambda: is_true(people.mastodon.listeners), "the stream is open")
    await people.mentions_us_while_the_stream_is_down()
    await until(lambda: there_are(desk, 3), "the mention is readable")
    (notification,) = people.mastodon.notifications
    await until(lambda: is_true(people.mastodon.listeners), "the stream is open again")
    await people.mastodon.repeat(notification)

    (conversation,) = await until(lambda: one_of(desk, 3), "there is one conversation")
    messages = await desk.messages(conversation["id"])
    assert [message["network"] for message in messages] == ["email", "telegram", "mastodon"]
    assert [message["received_at"] for message in messages] == sorted(message["received_at"] for message in messages)
    assert all(message["placement"]["reason"] for message in messages)
    assert {message["sender"]["customer_id"] for message in messages} == {conversation["customer_id"]}
    customer = await desk.get(f"/v1/customers/{conversation['customer_id']}")
    assert {(one["type"], one["value"]) for one in customer["identities"]} == {
        ("email", ADDRESS),
        ("telegram_user", "700100200"),
        ("mastodon_user", MASTODON_USER),
    }


async def undoing_a_link_takes_out_what_it_brought(onethread: Deployment, desk: Desk) -> None:
    ends = (f"email:{ADDRESS}", f"mastodon_user:{MASTODON_USER}")
    (before,) = await desk.conversations()
    await onethread.command("unlink", *ends)
    await until(lambda: counts(desk, [1, 2]), "the mention stands alone")
    networks = {frozenset(one["networks"]) for one in await desk.conversations()}
    assert networks == {frozenset({"email", "telegram"}), frozenset({"mastodon"})}
    await onethread.command("link", *ends)
    await until(lambda: counts(desk, [3]), "the mention is back")
    (after,) = await desk.conversations()
    assert after["id"] == before["id"]


async def the_same_traffic_changes_nothing(onethread: Deployment, people: Providers, desk: Desk) -> None:
    await settled(onethread)
    before = await desk.state()
    ends_before = await log_ends(onethread)
    await people.everything_again()
    await until(lambda: grown(onethread, ends_before, 4), "the repeated traffic is in the log")
    await settled(onethread)
    assert await desk.state() == before


# --- states ----------------------------------------------------------------------------------------------------------


async def is_true(value: Any) -> bool:
    return bool(value)


async def there_are(desk: Desk, messages: int) -> bool:
    return sum(one["message_count"] for one in await desk.conversations()) == messages


async def one_of(desk: Desk, messages: int) -> Any:
    found = await desk.conversations()
    return found if [one["message_count"] for one in found] == [messages] else None


async def counts(desk: Desk, wanted: list[int]) -> bool:
    return sorted(one["message_count"] for one in await desk.conversations()) == wanted


async def log_ends(onethread: Deployment) -> dict[int, int]:
    async with opened_log(onethread) as log:
        return {place: extent.end for place, extent in (await log.extents(MESSAGES)).items()}


async def grown(onethread: Deployment, before: dict[int, int], by: int) -> bool:
    return sum((await log_ends(onethread)).values()) >= sum(before.values()) + by


async def settled(onethread: Deployment) -> None:
    """The unifier has committed everything."""

    async def caught_up() -> bool:
        async with opened_log(onethread) as log:
            commits = await log.commits(GROUP, MESSAGES)
            extents = await log.extents(MESSAGES)
            return all(commits.get(place, 0) >= extent.end for place, extent in extents.items())

    await until(caught_up, "the unifier has caught up")


def opened_log(onethread: Deployment) -> Any:
    from onethread import assembly
    from onethread.settings import load

    return assembly.event_log(load(onethread.config(), {}), "test")
