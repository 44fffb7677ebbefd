"""The channels of the demo's story, as an admin would write them into the settings. It knows no person, and tells nothing."""

from typing import Any

from onethread.testing.mastodon_server import MastodonServer
from onethread.testing.servers.pymap import PymapServer
from onethread.testing.slack_server import SlackServer
from onethread.testing.telegram_server import TelegramServer
from onethread.testing.wechat_server import WeChatServer
from onethread.testing.whatsapp_server import WhatsAppServer

Channel = dict[str, Any]

HOOK_SECRETS = {
    f"chn_{name}": f"hook-of-the-demo-{name}-0123456789" for name in ("telegram", "whatsapp", "wechat", "slack")
}
"""The secret part of each channel's URL."""
_LOOPBACK = ["127.0.0.0/8"]
_EVER = "2000-01-01T00:00:00Z"


def mail(server: PymapServer, mailbox: str, password: str) -> Channel:
    """A mailbox, read by IMAP."""
    settings = {
        "account": mailbox,
        "host": server.host,
        "port": server.port,
        "tls": "none",
        "username": mailbox,
        "password": password,
        "authserv_ids": ["mx.example.org"],
    }
    return _channel("imap", "Support mailbox", settings, id="chn_mail", since=_EVER)


def telegram(server: TelegramServer) -> Channel:
    """A bot, called at a webhook that it registers itself."""
    settings = {
        "account": str(server.id),
        "bot_username": server.username,
        "token": server.token,
        "secrets": ["telegram-secret-of-the-demo"],
        "api_url": server.url,
    }
    return _channel("telegram", "Shop bot", settings)


def whatsapp(server: WhatsAppServer) -> Channel:
    """A number, called at a webhook that it registers itself."""
    settings = {
        "account": server.number_id,
        "business_account": server.business_account,
        "app_secrets": [server.app_secret],
        "verify_token": "verify-token-of-the-demo",
        "access_token": server.access_token,
        "api_url": server.url,
    }
    return _channel("whatsapp", "Shop on WhatsApp", settings)


def wechat(server: WeChatServer) -> Channel:
    """An Official Account in safe mode: every delivery is encrypted."""
    settings = {
        "account": server.account,
        "app_id": server.receiver,
        "app_secret": server.secret,
        "tokens": [server.token],
        "aes_keys": [server.aes_key],
        "mode": "safe",
        "api_url": server.url,
    }
    return _channel("wechat", "Shop on WeChat", settings)


def slack(server: SlackServer) -> Channel:
    """The shop's workspace, in which customers are guests."""
    settings = {
        "account": server.team,
        "bot_token": server.teams[server.team],
        "signing_secrets": [server.signing_secret],
        "api_url": server.url,
    }
    return _channel("slack", "Shop's workspace", settings)


def mastodon(server: MastodonServer) -> Channel:
    """An account, heard by its stream."""
    settings = {"account": server.acct, "base_url": server.url, "access_token": server.token}
    return _channel("mastodon", "Shop on Mastodon", settings, since=_EVER)


def _channel(connector: str, name: str, settings: Channel, **more: str) -> Channel:
    """`allow_networks`: the providers of the demo are on this machine."""
    channel: Channel = {"id": f"chn_{connector}", "connector": connector, "name": name, "settings": settings}
    if secret := HOOK_SECRETS.get(channel["id"]):
        channel["hook_secret"] = secret
    return {**channel, "allow_networks": _LOOPBACK, **more}
