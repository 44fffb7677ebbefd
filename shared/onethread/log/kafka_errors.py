"""aiokafka's exceptions as ours: one table. It knows what each means for the caller, not who raised it."""

import ssl
from typing import TypeAlias

from aiokafka import errors as kafka

from onethread.errors import Conflict, Misconfigured, OnethreadError, Retryable

_Kinds: TypeAlias = tuple[type[Exception], ...]

_TABLE: tuple[tuple[type[OnethreadError], str, _Kinds], ...] = (
    (
        Conflict,
        "The group was dealt anew: poll again.",
        (
            kafka.CommitFailedError,
            kafka.IllegalStateError,
            kafka.UnknownMemberIdError,
            kafka.IllegalGenerationError,
            kafka.RebalanceInProgressError,
            kafka.NonEmptyGroup,
        ),
    ),
    (
        Misconfigured,
        "Kafka refuses a record that keeps to our own limit: set max.message.bytes of the topic to 1,048,588.",
        (kafka.MessageSizeTooLargeError, kafka.RecordTooLargeError, kafka.RecordListTooLargeError),
    ),
    (
        Misconfigured,
        "Kafka refuses us: check log.security_protocol, the log.sasl_… and log.ssl_… settings, and what the user may do.",
        (
            kafka.AuthenticationFailedError,
            kafka.AuthenticationMethodNotSupported,
            kafka.SaslAuthenticationFailed,
            kafka.UnsupportedSaslMechanismError,
            kafka.IllegalSaslStateError,
            kafka.SecurityDisabled,
            kafka.TopicAuthorizationFailedError,
            kafka.GroupAuthorizationFailedError,
            kafka.ClusterAuthorizationFailedError,
            kafka.TransactionalIdAuthorizationFailed,
            ssl.SSLError,
        ),
    ),
    (
        Misconfigured,
        "The topic or the partition does not exist: run `onethread topics apply`.",
        (kafka.UnknownTopicOrPartitionError, kafka.InvalidTopicError),
    ),
    (
        Misconfigured,
        "Kafka does not take this setting: change it.",
        (
            kafka.InvalidPartitionsError,
            kafka.InvalidReplicationFactorError,
            kafka.InvalidReplicationAssignmentError,
            kafka.InvalidConfigurationError,
            kafka.PolicyViolationError,
            kafka.InvalidGroupIdError,
            kafka.InvalidSessionTimeoutError,
            kafka.InconsistentGroupProtocolError,
            kafka.UnsupportedVersionError,
            kafka.IncompatibleBrokerVersion,
            kafka.UnrecognizedBrokerVersion,
        ),
    ),
)

FOREIGN: _Kinds = (kafka.KafkaError, OSError)
"""What aiokafka raises, its time-outs included, which are an OSError."""


def translate(error: Exception, doing: str, otherwise: type[Retryable] = Retryable) -> OnethreadError:
    """Ours for one of `FOREIGN`; `doing` begins the message. What is in no row may work later: `otherwise`."""
    for ours, advice, kinds in _TABLE:
        if isinstance(error, kinds):
            return ours(f"{doing}: {advice} ({_name(error)})")
    return otherwise(f"{doing}: Kafka could not do it now ({_name(error)}).")


def _name(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text if len(text) < 300 else type(error).__name__
