"""Telegram: messages that people write to a bot, by webhook or by long polling. It knows entrances and calls, no content."""

import re
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from im_ingest.connectors.telegram.bot_api import LONG_POLL, Bot, BotApi, File, WebhookInfo
from im_ingest.connectors.telegram.records import events
from im_ingest.connectors.telegram.updates import ALLOWED
from im_ingest.connectors.telegram.who import Us
from onethread.connector import (
    Checks,
    Connector,
    DeepLinks,
    Downloads,
    Host,
    Media,
    Page,
    Polling,
    Raw,
    Request,
    Step,
    Subscribes,
    Webhook,
    same,
)
from onethread.errors import Misconfigured, OnethreadError, Poison, Rejected
from onethread.event import Event

SECRET_HEADER = "x-telegram-bot-api-secret-token"  # noqa: S105 -- the header's name
SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
PAGE = 100
"""Updates that getUpdates gives at most."""


class Settings(BaseModel):
    """One bot."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    account: str = Field(pattern=r"^\d+$", description="Numeric id of the bot: the part of its token before the colon.")
    bot_username: str = Field(
        pattern=r"^[A-Za-z0-9_]+$", description="Username of the bot, without @; it ends with 'bot'."
    )
    token: SecretStr = Field(description="The bot's token, from @BotFather.")
    agents: list[Annotated[str, Field(pattern=r"^-?\d+$")]] = Field(
        default=[],
        description=(
            "Numeric ids of your people who answer in groups, and of your channels and groups, if people write in their name: "
            "what they write is outbound."
        ),
    )
    secrets: list[SecretStr] = Field(
        min_length=1,
        description=(
            "Webhook secrets of your choice: 1 to 256 letters, digits, _ and -. The first is given to Telegram, each is "
            "accepted: put a new one in front to rotate."
        ),
    )
    edge: Literal["webhook", "polling"] = Field(
        "webhook", description="webhook: Telegram calls us; polling: we ask Telegram (no public address needed)."
    )
    api_url: str = Field(
        "https://api.telegram.org", description="The Bot API server; change it only if you run your own."
    )

    @field_validator("secrets")
    @classmethod
    def _telegram_takes_them(cls, secrets: list[SecretStr]) -> list[SecretStr]:
        if not all(SECRET.fullmatch(secret.get_secret_value()) for secret in secrets):
            raise ValueError("Telegram takes 1 to 256 letters (a-z), digits, _ and - as a webhook secret")
        return secrets


class Telegram(Connector[Settings], Webhook, Polling, Downloads, Checks, Subscribes, DeepLinks):
    """One bot. The same updates come by either edge, and one normaliser reads them."""

    name = network = "telegram"
    answer_within = 5.0  # the open-source server gives up after about 60 s
    interval = 1.0  # the waiting is done by the long poll

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._us = Us(settings.account, settings.bot_username, frozenset(settings.agents))

    @property
    def edges(self) -> tuple[type, ...]:
        """One of the two: Telegram refuses to be polled while a webhook is set."""
        return (Polling,) if self.settings.edge == "polling" else (Webhook,)

    def normalize(self, raw: Raw) -> Iterable[Event]:
        return events(raw.data, self._us)

    def authenticate(self, request: Request) -> None:
        given = request.headers.get(SECRET_HEADER, "")
        matches = [same(given, secret.get_secret_value()) for secret in self.settings.secrets]
        if not given or not any(matches):
            raise Rejected(f"{SECRET_HEADER} is not one of `secrets`")

    async def fetch(self, host: Host, resource: str, cursor: str | None) -> Page:  # noqa: ARG002 -- a bot has one queue
        """Updates from the offset on. The cursor is the next offset; asking with it confirms what is before."""
        parameters = {"limit": PAGE, "timeout": LONG_POLL, "allowed_updates": ALLOWED}
        if cursor is not None:
            parameters["offset"] = int(cursor)
        result = await self._api(host).call("getUpdates", **parameters)
        updates = msgspec.json.decode(result, type=list[msgspec.Raw])
        last = max((msgspec.json.decode(update, type=_Numbered).update_id for update in updates), default=None)
        following = cursor if last is None else str(last + 1)
        return Page([Raw(bytes(update)) for update in updates], cursor=following, more=bool(updates))

    async def download(self, host: Host, locator: str) -> Media:
        api = self._api(host)
        file = msgspec.json.decode(await api.call("getFile", file_id=locator), type=File)
        if not file.file_path:
            raise Poison("Telegram names no path for this file")
        if file.file_path.startswith("/"):
            raise Misconfigured("your Bot API server runs with --local and keeps files on its own disk: run it without")
        return Media(api.file_url(file.file_path))

    async def deep_link(self, host: Host, token: str) -> str:  # noqa: ARG002 -- Telegram need not be asked
        return f"https://t.me/{self.settings.bot_username}?start={token}"

    async def subscribe(self, host: Host, url: str | None) -> datetime | None:
        """A webhook lasts until it is changed, so there is nothing to renew; pending updates are kept either way."""
        api = self._api(host)
        if url is None or self.settings.edge == "polling":
            await api.call("deleteWebhook")
            return None
        secret = self.settings.secrets[0].get_secret_value()
        await api.call("setWebhook", url=url, secret_token=secret, allowed_updates=ALLOWED)
        return None

    async def check(self, host: Host) -> AsyncIterator[Step]:
        api = self._api(host)
        try:
            bot = await api.bot()
        except OnethreadError as error:
            yield Step("token", ok=False, todo=str(error))
            return
        yield self._identity(bot)
        yield Step(
            "groups",
            ok=True,
            todo=""
            if bot.can_read_all_group_messages
            else "In groups the bot sees only commands, mentions and replies to it; /setprivacy at @BotFather changes that.",
        )
        yield await self._delivery(api, host.url)

    def _identity(self, bot: Bot) -> Step:
        if str(bot.id) != self.settings.account:
            return Step(
                "token", ok=False, todo=f"the token belongs to bot {bot.id}: set `account` to it, or change `token`"
            )
        if bot.username.casefold() != self.settings.bot_username.casefold():
            return Step("token", ok=False, todo=f"the bot's name is {bot.username}: set `bot_username` to it")
        return Step("token", ok=True)

    async def _delivery(self, api: BotApi, ours: str) -> Step:
        """Whether updates can reach us. `ours`: the channel's URL, "" if unknown."""
        try:
            todo = self._todo(await api.webhook(), ours)
        except OnethreadError as error:
            todo = str(error)
        return Step("delivery", ok=not todo, todo=todo)

    def _todo(self, info: WebhookInfo, ours: str) -> str:
        """What a person must do about the webhook. URLs are secret, so only their hosts are named."""
        if self.settings.edge == "polling":
            set_yet = "a webhook is set, so polling is refused; start the channel once: it takes the webhook away"
            return set_yet if info.url else ""
        if not info.url:
            return "no webhook is set; starting the channel with a public URL sets it"
        if ours and info.url != ours:
            there = urlsplit(info.url).netloc
            other = f"goes to {there}" if there != urlsplit(ours).netloc else "has another channel id or `hook_secret`"
            return f"the webhook that is set {other}: a bot has but one; starting this channel sets its own"
        if info.failing:
            return info.trouble()
        missing = ", ".join(kind for kind in ALLOWED if kind not in info.allowed_updates)
        by_another = f"another program has set the webhook: {missing} are not sent; starting the channel sets it again"
        return by_another if missing else ""

    def _api(self, host: Host) -> BotApi:
        return BotApi(host, self.settings.api_url, self.settings.token.get_secret_value())


class _Numbered(msgspec.Struct):
    """Just enough of an update to know the offset after it."""

    update_id: int
