"""Connectors with a defect, in a module of its own: parser processes import them by name. It knows no test."""

from collections.abc import Iterable

from email_ingest.connectors.imap.connector import Imap
from onethread.connector import Raw
from onethread.event import Event


class BreaksAtReading(Imap):
    """Reading the bodies of some mails raises; their header can still be read."""

    def normalize(self, raw: Raw) -> Iterable[Event]:
        if b"\r\nX-Breaks: " in raw.data:
            raise ZeroDivisionError("of a mail that nobody expected")
        return super().normalize(raw)


class BreaksAtEverything(BreaksAtReading):
    """Whatever is done with some mails raises."""

    def excerpt(self, raw: Raw, because: str) -> Iterable[Event]:
        if b"\r\nX-Breaks: " in raw.data:
            raise ZeroDivisionError("of its header, too")
        return super().excerpt(raw, because)


class NeverEnds(Imap):
    """Large mails are read for ever, as by a regular expression that goes astray."""

    def normalize(self, raw: Raw) -> Iterable[Event]:
        while len(raw.data) > 1_000_000:
            pass
        return super().normalize(raw)
