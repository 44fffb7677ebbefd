"""The table of aiokafka's exceptions."""

import pytest
from aiokafka import errors as kafka

from onethread.errors import Conflict, Misconfigured, OnethreadError, Retryable, Unconfirmed
from onethread.log.kafka_errors import FOREIGN, translate


def _subclasses(kind: type[Exception]) -> set[type[Exception]]:
    return {kind}.union(*(_subclasses(sub) for sub in kind.__subclasses__()))


ALL = sorted(_subclasses(kafka.KafkaError) - {kafka.BrokerResponseError}, key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_error_of_aiokafka_has_a_translation_and_what_it_would_retry_we_do_not_give_up(
    kind: type[Exception],
) -> None:
    error = kind()
    ours = translate(error, "Testing")
    assert str(ours).startswith("Testing: ")
    if getattr(error, "retriable", False) and kind is not kafka.UnknownTopicOrPartitionError:
        assert isinstance(ours, Retryable | Conflict)


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (kafka.CommitFailedError(), Conflict),
        (kafka.UnknownTopicOrPartitionError(), Misconfigured),
        (kafka.SaslAuthenticationFailed(), Misconfigured),
        (kafka.TopicAuthorizationFailedError(), Misconfigured),
        (kafka.MessageSizeTooLargeError(), Misconfigured),
        (kafka.NotEnoughReplicasError(), Retryable),
        (kafka.KafkaConnectionError(), Retryable),
        (TimeoutError(), Retryable),
        (ConnectionResetError(), Retryable),
    ],
)
def test_what_happens_next_is_in_the_type(error: Exception, ours: type[OnethreadError]) -> None:
    assert isinstance(error, FOREIGN)
    assert type(translate(error, "Testing")) is ours


def test_a_write_that_may_have_happened_is_unconfirmed() -> None:
    assert type(translate(kafka.RequestTimedOutError(), "Appending", otherwise=Unconfirmed)) is Unconfirmed
    assert type(translate(kafka.CommitFailedError(), "Committing", otherwise=Unconfirmed)) is Conflict


def test_a_long_text_of_the_server_is_left_out() -> None:
    assert "x" * 300 not in str(translate(kafka.KafkaError("x" * 5000), "Testing"))
