"""Access tokens for IMAP by a refresh token (RFC 6749, section 6), and how SASL carries them. It knows no mailbox."""

from collections.abc import Callable
from datetime import timedelta

import httpx
import msgspec

from email_ingest.connectors.imap.settings import Settings
from onethread.connector import Host, Token
from onethread.errors import Misconfigured, Poison

TOKEN = "imap"  # noqa: S105 -- the name it is stored under


class _Answer(msgspec.Struct):
    """A token endpoint's answer (RFC 6749, section 5.1)."""

    access_token: str
    expires_in: int = 3600
    refresh_token: str = ""


class _Refusal(msgspec.Struct):
    """Its answer when it refuses (section 5.2)."""

    error: str = ""


async def access_token(settings: Settings, host: Host) -> str | None:
    """A token to log in with; None where a password is used. Raises Misconfigured for wrong settings, httpx errors else."""
    if settings.oauth_refresh_token is None:
        return None

    async def renew(old: Token | None) -> Token:
        return await _renewed(settings, host, old)

    return await host.token(TOKEN, renew)


async def _renewed(settings: Settings, host: Host, old: Token | None) -> Token:
    """A new access token. Some servers rotate the refresh token: the newest one counts."""
    assert settings.oauth_refresh_token is not None
    refresh = old.refresh if old and old.refresh else settings.oauth_refresh_token.get_secret_value()
    form = {"grant_type": "refresh_token", "refresh_token": refresh, "client_id": settings.oauth_client_id}
    if settings.oauth_client_secret is not None:
        form["client_secret"] = settings.oauth_client_secret.get_secret_value()
    if settings.oauth_scope:
        form["scope"] = settings.oauth_scope
    try:
        response = await host.http.post(settings.oauth_token_url, data=form)
        response.raise_for_status()
        answer = msgspec.json.decode(response.content, type=_Answer)
    except httpx.HTTPStatusError as error:
        if words := _wrong_settings(error.response.content):
            raise Misconfigured(words) from error
        raise  # the host knows what it means: consent was taken back, or the server is busy
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise Poison("settings.oauth_token_url: what answers there is no OAuth token endpoint") from error
    expires_at = host.now() + timedelta(seconds=answer.expires_in)
    return Token(answer.access_token, expires_at, answer.refresh_token or refresh)


def _wrong_settings(content: bytes) -> str:
    """Which of our settings the server refuses; "" if it is not about them."""
    try:
        code = msgspec.json.decode(content, type=_Refusal).error
    except (msgspec.MsgspecError, UnicodeError):
        return ""
    if code in ("invalid_client", "unauthorized_client"):
        return "the OAuth server does not know us: change settings.oauth_client_id or settings.oauth_client_secret"
    if code == "invalid_scope":
        return "the OAuth server refuses the scope: change settings.oauth_scope"
    return ""


def xoauth2(user: str, token: str) -> Callable[[bytes], bytes]:
    """What answers SASL's challenges: the token first, then an empty line, which ends a refusal that brings an explanation.

    Source: https://developers.google.com/workspace/gmail/imap/xoauth2-protocol
    """
    answers = [f"user={user}\1auth=Bearer {token}\1\1".encode()]

    def answer(_challenge: bytes) -> bytes:
        return answers.pop() if answers else b""

    return answer
