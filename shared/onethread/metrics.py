"""Every number Onethread shows, with its meaning, and their text form for Prometheus. It knows no server.

Numbers belong to the process, so each metric is one object of this module. Labels are bounded by configuration (channels,
kinds, stages), never by what customers send.
"""

from collections.abc import Iterator
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of `exposition` (https://prometheus.io/docs/instrumenting/exposition_formats/)."""

_ALL: list["Metric"] = []


class Metric:
    """A number per combination of label values; label values are given in the order of `labels`."""

    type: Literal["counter", "gauge"]

    def __init__(self, name: str, meaning: str, *labels: str) -> None:
        self.name, self.meaning, self.labels = name, meaning, labels
        self._values: dict[tuple[str, ...], float] = {} if labels else {(): 0.0}
        _ALL.append(self)

    def value(self, *values: str) -> float:
        """The number now; 0 where nothing was recorded."""
        return self._values.get(values, 0.0)

    def _checked(self, values: tuple[str, ...]) -> tuple[str, ...]:
        if len(values) != len(self.labels):
            raise TypeError(f"{self.name} wants the labels {self.labels}")
        return values

    def lines(self) -> Iterator[str]:
        """The text form."""
        yield f"# HELP {self.name} {self.meaning}"
        yield f"# TYPE {self.name} {self.type}"
        for values, number in sorted(self._values.items()):
            pairs = ",".join(f'{name}="{_escaped(text)}"' for name, text in zip(self.labels, values, strict=True))
            yield f"{self.name}{{{pairs}}} {number:.15g}" if pairs else f"{self.name} {number:.15g}"


class Counter(Metric):
    """Only grows; begins at 0 with the process."""

    type = "counter"

    def add(self, *values: str, by: float = 1.0) -> None:
        """Count `by` more."""
        key = self._checked(values)
        self._values[key] = self._values.get(key, 0.0) + by


class Gauge(Metric):
    """Goes up and down."""

    type = "gauge"

    def set(self, *values: str, to: float) -> None:
        """The number now."""
        self._values[self._checked(values)] = to

    def forget(self, *values: str) -> None:
        """No longer show it: the thing measured is gone."""
        self._values.pop(values, None)


def exposition() -> str:
    """All metrics as text."""
    return "".join(f"{line}\n" for metric in _ALL for line in metric.lines())


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


# --- connectors' side ----------------------------------------------------------------------------------------------

EVENTS = Counter("onethread_events_total", "Events confirmed by the log.", "channel_id", "kind")
DEAD_LETTERS = Counter(
    "onethread_dead_letters_total", "Records set aside, confirmed by the log.", "channel_id", "stage", "reason"
)
BUGS = Counter("onethread_connector_bugs_total", "Unexpected exceptions in a connector's code.", "channel_id", "stage")
TOKENS_REFUSED = Counter(
    "onethread_tokens_refused_total", "Strings in tokens that are not ours, or expired.", "channel_id"
)
TRUNCATED = Counter("onethread_events_truncated_total", "Events cut to the log's record limit.", "channel_id")
DEGRADED = Counter(
    "onethread_excerpts_total",
    "Messages stored as an excerpt, confirmed by the log, by cause (time, memory, crash, or bug).",
    "channel_id",
    "cause",
)
PARSERS_ENDED = Counter(
    "onethread_parsers_ended_total", "Parser processes that were ended or died at a record, by cause.", "cause"
)
HOOKS = Counter(
    "onethread_webhook_requests_total", "Requests at the entrance, by answered status.", "channel_id", "status"
)
HOOK_SECONDS = Counter(
    "onethread_webhook_seconds_total", "Seconds until requests at the entrance were answered.", "channel_id"
)
HOOKS_OPEN = Gauge("onethread_webhook_admitted", "Deliveries being read or written now, of all channels.")
FETCHES = Counter(
    "onethread_fetches_total", "Pages fetched, by outcome (ok or the name of the error).", "channel_id", "outcome"
)
SESSIONS = Counter(
    "onethread_sessions_total",
    "Stream sessions ended, by outcome (ok or the name of the error).",
    "channel_id",
    "outcome",
)
MEDIA = Counter(
    "onethread_media_total",
    "Files of messages fetched, by outcome (stored, failed, later, or broken: arrived, but not what was sent; again).",
    "channel_id",
    "outcome",
)
LOOKUPS = Counter("onethread_lookups_total", "Look-ups, by outcome (ok, failed, or later).", "channel_id", "outcome")
FETCHES_WAITING = Gauge("onethread_fetches_waiting", "Files and look-ups that are still to be fetched, seen from here.")
CHANNEL_STATE = Gauge("onethread_channel_state", "1 for the state a channel's pull is in, here.", "channel_id", "state")
LAST_DURABLE = Gauge(
    "onethread_last_durable_seconds", "Unix time of the channel's latest confirmed write.", "channel_id"
)
HALTED = Gauge(
    "onethread_partition_halted",
    "1 while the unifier stands still in a partition: too many records in a row could not be processed.",
    "topic",
    "partition",
)
