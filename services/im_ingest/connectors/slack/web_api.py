"""Calls of Slack's Web API over the host's HTTP client. It knows addresses and error codes; it knows no event.

Slack answers a refused call with status 200 and `"ok": false` (Slack API docs, "Web API: Evaluating responses"). Errors of HTTP itself are the
host's to translate: tokens travel in a header, so no address holds one.
"""

from typing import TypeVar

import msgspec

from im_ingest.api_calls import trusted
from onethread.connector import Host
from onethread.errors import Misconfigured, OnethreadError, Poison, Retryable

T = TypeVar("T")

DEFAULT_URL = "https://slack.com/api"
SLACK_HOSTS = (".slack.com", ".slack-files.com", ".slack-edge.com")
"""Only these may see a token."""

BAD_TOKEN = frozenset({
    "invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive", "no_permission", "access_denied",
    "not_allowed_token_type", "team_access_not_granted", "two_factor_setup_required",
})  # fmt: skip
BUSY = frozenset({
    "ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout",
    "team_added_to_org", "org_login_required",
})  # fmt: skip
"""Limits, faults and moves of a workspace, all of which end."""


class SlackError(Poison):
    """A call that is refused for good. `code`: Slack's word."""

    def __init__(self, reason: str, code: str) -> None:
        super().__init__(reason)
        self.code = code


class Auth(msgspec.Struct):
    """Whose token it is."""

    team_id: str = ""
    team: str = ""
    user_id: str = ""
    bot_id: str | None = None


class _Verdict(msgspec.Struct):
    ok: bool = False
    error: str = "unknown_error"
    needed: str = ""


class WebApi:
    """One token's calls. `url`: the API; `copied_from`: the token's setting, and where people copy it from."""

    def __init__(self, host: Host, url: str, token: str, copied_from: str) -> None:
        self._http = host.http
        self._copied_from = copied_from
        self.url = url.rstrip("/")
        self.headers = {"authorization": f"Bearer {token}"}

    def trusts(self, url: str) -> bool:
        """Whether an address may be given the token: Slack's own by https, or the very server that `url` names."""
        return trusted(url, self.url, SLACK_HOSTS)

    async def call(self, method: str, kind: type[T], **parameters: str) -> T:
        """The answer of one method. Raises ours for what Slack refuses, httpx's errors for the rest."""
        answer, _ = await self._call(method, kind, parameters)
        return answer

    async def auth(self) -> tuple[Auth, frozenset[str]]:
        """Whose token it is, and the scopes that it has."""
        auth, headers = await self._call("auth.test", Auth, {})
        return auth, frozenset(filter(None, headers.get("x-oauth-scopes", "").replace(" ", "").split(",")))

    async def _call(self, method: str, kind: type[T], parameters: dict[str, str]) -> tuple[T, dict[str, str]]:
        response = await self._http.post(f"{self.url}/{method}", data=parameters, headers=self.headers)
        try:
            verdict = msgspec.json.decode(response.content, type=_Verdict)
            if not verdict.ok:
                raise failure(method, verdict.error, self._copied_from, verdict.needed)
            return msgspec.json.decode(response.content, type=kind), dict(response.headers)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise Retryable(f"{method} is answered in a form that is not Slack's; see `api_url`") from error


def failure(method: str, code: str, copied_from: str, needed: str = "") -> OnethreadError:
    """What a refused call means. `copied_from`: which token it was made with, and where people copy it from."""
    said = f"Slack refused {method}: {code}"
    if code == "missing_scope":
        return Misconfigured(
            f"{said}. Add the scope {needed or 'it needs'} under OAuth & Permissions, and install the app again."
        )
    if code in BAD_TOKEN:
        return Misconfigured(f"{said}. Copy {copied_from} again, or install the app again.")
    return Retryable(said) if code in BUSY else SlackError(said, code)
