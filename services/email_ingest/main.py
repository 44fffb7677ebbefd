"""The email ingest service: the channels of its connectors, on the edges that the library hosts."""

from onethread import registry
from onethread.host.process import Process
from onethread.settings import Settings

PACKAGE = "email_ingest"


def add(process: Process) -> None:
    """Serve the process's channels."""
    process.ingests()


def process_of(settings: Settings) -> Process:
    """The service as a process of its own."""
    process = Process(settings, PACKAGE, registry.connectors([PACKAGE]))
    add(process)
    return process
