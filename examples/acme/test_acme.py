"""The contract of a connector, over this package's."""

from onethread.testing.connector_suite import *  # noqa: F403 -- pytest collects what is imported

PACKAGES = ("onethread_acme",)
