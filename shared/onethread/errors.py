"""The errors of Onethread, named by what should happen next; it does not know who raises them.

OnethreadError
├── Rejected       the caller is at fault: refuse (401, 413, …), store nothing
├── Retryable      works later: 503 + Retry-After, back off, keep the cursor
│   └── Unauthorised   with a new token, perhaps; three in a row need a person
├── Poison         never works: dead letter confirmed first, then go on
├── Misconfigured  a person must act: the state says what to do
└── Conflict       the world moved between look and write: decide again

Foreign exceptions are translated into these in one place per adapter.
"""


class OnethreadError(Exception):
    """Anything Onethread raises on purpose. The message says what happened and what to do."""


class Rejected(OnethreadError):
    """The caller is at fault. `status` is the HTTP status to answer with; nothing is stored."""

    def __init__(self, reason: str, status: int = 401) -> None:
        super().__init__(reason)
        self.status = status


class Retryable(OnethreadError):
    """Works later. `after` is the provider's own wait in seconds, None where it named none."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class Unauthorised(Retryable):
    """The provider refuses what we hold: the token is stale, or access was taken away. The host drops the token first.

    HTTP clients raise it by 401 and 403; a connector raises it where the provider says so by a code of its own.
    """


class Unconfirmed(Retryable):
    """A write whose outcome is unknown: it may have happened. The retry must carry the same id."""


class Poison(OnethreadError):
    """Never works, however often it is tried. Becomes a dead letter."""


class Misconfigured(OnethreadError):
    """A person must act; the message names the setting and what to change."""


class Conflict(OnethreadError):
    """Another writer was first. Read again and decide again."""
