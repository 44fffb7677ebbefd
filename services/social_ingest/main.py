"""The social ingest service: one process that serves the channels of this family's connectors, on the library's hosts."""

from onethread import registry
from onethread.host.process import Process
from onethread.settings import Settings

PACKAGE = "social_ingest"


def process(settings: Settings) -> Process:
    """The service, to be run."""
    service = Process(settings, PACKAGE, registry.connectors([PACKAGE]))
    service.ingests()
    return service
