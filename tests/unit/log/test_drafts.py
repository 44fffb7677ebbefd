"""What all adapters compute of a draft alike."""

import pytest
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from onethread.errors import Poison
from onethread.log.drafts import MAX_RECORD_BYTES, partition_of, refuse_oversized, size
from onethread.log.port import Draft


@given(st.binary(max_size=80), st.integers(1, 50))
def test_the_partition_is_the_one_a_producer_of_kafka_takes(key: bytes, partitions: int) -> None:
    numbers = list(range(partitions))
    assert partition_of(key, partitions) == DefaultPartitioner()(key, numbers, numbers)


def test_key_value_and_headers_count() -> None:
    assert size(Draft(b"key", b"value", (("größe", b"12"),))) == 3 + 5 + 7 + 2


def test_the_limit_itself_is_allowed_and_one_more_is_poison() -> None:
    refuse_oversized([Draft(b"", b"x" * MAX_RECORD_BYTES)])
    with pytest.raises(Poison, match="900,001"):
        refuse_oversized([Draft(b"", b""), Draft(b"k", b"x" * MAX_RECORD_BYTES)])
