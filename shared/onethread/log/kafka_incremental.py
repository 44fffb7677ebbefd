"""Kafka's request IncrementalAlterConfigs, which aiokafka 0.14 lacks: it changes one setting and leaves the others alone.

Layout: key 44, version 0, in https://kafka.apache.org/protocol (KIP-339, brokers from 2.3). The older AlterConfigs, which
aiokafka has, replaces all settings of a topic, so that one an operator makes at the same moment would be lost.
"""

from typing import Any

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int8, Int16, Int32, Schema, String

_TOPIC = 2
_SET = 0


class _Response(Response):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = 44
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "responses",
            Array(
                ("error_code", Int16),
                ("error_message", String("utf-8")),
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
            ),
        ),
    )


class _Request(RequestStruct):  # type: ignore[misc]
    API_KEY = 44
    API_VERSION = 0
    RESPONSE_TYPE = _Response
    SCHEMA = Schema(
        (
            "resources",
            Array(
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
                (
                    "configs",
                    Array(("name", String("utf-8")), ("config_operation", Int8), ("value", String("utf-8"))),
                ),
            ),
        ),
        ("validate_only", Boolean),
    )


class SetTopicConfig(Request[_Request]):  # type: ignore[misc]
    """Set one setting of one topic. The answer's `responses[0][0]` is the error code."""

    API_KEY = 44

    def __init__(self, topic: str, name: str, value: str) -> None:
        self._resources = [(_TOPIC, topic, [(name, _SET, value)])]

    def build(self, request_struct_class: type[_Request]) -> Any:
        """Called by aiokafka once it knows the broker's versions."""
        return request_struct_class(self._resources, False)  # noqa: FBT003  # validate_only
