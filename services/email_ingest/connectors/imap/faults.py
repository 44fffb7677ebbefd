"""What the exceptions of imapclient, imaplib, ssl and sockets mean: the one table of this connector. It does no I/O."""

import socket
import ssl
from collections.abc import Callable
from imaplib import IMAP4
from typing import Any

from imapclient.exceptions import IMAPClientError, LoginError, ProtocolError

from email_ingest.connectors.imap.settings import Settings
from onethread.errors import Misconfigured, OnethreadError, Poison, Retryable, Unauthorised

BUSY = ("unavailable", "[limit]", "[inuse]", "temporar", "try again", "too many", "[serverbug]", "internal error")
"""How servers say that a refused login is not the password's fault (RFC 5530, and common words)."""


class Refused(Retryable):
    """The server answered NO or BAD to a command; the connection stands."""


def translated(error: Exception, settings: Settings) -> OnethreadError:
    """The error of ours that a foreign one amounts to."""
    if isinstance(error, OnethreadError):
        return error
    for kinds, meaning in _TABLE:
        if isinstance(error, kinds):
            return meaning(error, settings)
    return Retryable(f"imapclient failed with {type(error).__name__}")


def _closed(error: Exception, settings: Settings) -> OnethreadError:
    return Retryable(
        f"the connection to {_where(settings)} is closed, or cannot be made ({type(error).__name__}): "
        "if it never can, change settings.host or settings.port"
    )


def _certificate(error: Any, settings: Settings) -> OnethreadError:
    return Misconfigured(
        f"the certificate of {_where(settings)} is not valid for {settings.host} ({error.verify_message}): "
        "change settings.host to the name in it, or give its authority in settings.ca_file"
    )


def _tls(error: Any, settings: Settings) -> OnethreadError:
    if error.reason == "WRONG_VERSION_NUMBER":
        return Misconfigured(f"{_where(settings)} does not begin with TLS: change settings.tls or settings.port")
    return Retryable(f"TLS with {_where(settings)} failed ({error.reason})")


def _name(_error: Exception, settings: Settings) -> OnethreadError:
    return Retryable(f"the name {settings.host} cannot be resolved: if it is wrong, change settings.host")


def _silent(_error: Exception, settings: Settings) -> OnethreadError:
    return Retryable(
        f"{_where(settings)} is silent: if it always is, change settings.host, settings.port or settings.tls"
    )


def _unreadable(error: Exception, settings: Settings) -> OnethreadError:
    return Poison(f"an answer of {_where(settings)} cannot be read ({type(error).__name__})")


def _refused(error: Exception, settings: Settings) -> OnethreadError:
    return Refused(f"{_where(settings)} refuses a command: {said(error)}")


def _login(error: Exception, settings: Settings) -> OnethreadError:
    # imapclient calls a connection that ends during the login a refused login, too.
    if isinstance(error.__context__, IMAP4.abort):
        return Retryable(f"{settings.host} closed the connection during the login")
    words = said(error)
    if any(sign in words.lower() for sign in BUSY):
        return Retryable(f"{settings.host} cannot log us in now: {words}")
    if settings.oauth_refresh_token is not None:
        # Tokens end before their time: the host drops this one, and tries a new one before it asks a person.
        return Unauthorised(
            f"the server refused the token of user {settings.user}: if a new one is refused, too, authorise again and "
            f"change settings.username or settings.oauth_refresh_token ({words})"
        )
    return Misconfigured(
        f"the server refused user {settings.user}: change settings.username or settings.password ({words})"
    )


_TABLE: tuple[tuple[tuple[type[Exception], ...], Callable[[Any, Settings], OnethreadError]], ...] = (
    ((LoginError,), _login),
    ((ssl.SSLCertVerificationError,), _certificate),
    ((ssl.SSLEOFError, ssl.SSLZeroReturnError), _closed),
    ((ssl.SSLError,), _tls),
    ((socket.gaierror,), _name),
    ((TimeoutError,), _silent),
    ((OSError, EOFError, IMAP4.abort), _closed),
    ((ProtocolError, RecursionError, ValueError, AssertionError), _unreadable),
    ((IMAPClientError,), _refused),
)
"""The first row that fits counts: the order is from the special to the general."""


def _where(settings: Settings) -> str:
    return f"{settings.host}:{settings.port}"


def said(error: Exception) -> str:
    """A server's own words, short, without the notation of bytes."""
    text = str(error).removeprefix("b'").removesuffix("'")
    return "".join(char for char in text if char.isprintable())[:200]
