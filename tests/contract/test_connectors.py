"""The contract of a connector, over those of all ingest services."""

from onethread.testing.connector_suite import *  # noqa: F403 -- pytest collects what is imported

PACKAGES = ("email_ingest", "im_ingest", "social_ingest")
