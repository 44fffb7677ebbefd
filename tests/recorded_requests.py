"""The recorded requests of every connector that has an entrance. Public keys are those recorded with them: nobody is asked for any.

Connectors are found as the service finds them, so that a new one is there as soon as it has request fixtures.
"""

from typing import Any

from onethread.connector import Connector, Request, Webhook
from onethread.errors import Rejected
from onethread.registry import connectors
from onethread.testing.fixtures import Case, cases
from onethread.testing.wechat_server import WeChatServer
from onethread.testing.wecom_kf_server import WeComKfServer
from onethread.testing.weixin_server import WeixinServer

PACKAGES = ("email_ingest", "im_ingest", "social_ingest")
ENTRANCES = [found for found in connectors(PACKAGES).values() if issubclass(found, Webhook)]
REQUESTS = [case for found in ENTRANCES for case in cases(found) if case.input().request is not None]


def asked(case: Case) -> Request:
    """The recorded request."""
    given = case.input().request
    assert given is not None
    return given.request()


def is_authentic(connector: Connector[Any], request: Request) -> bool:
    """Whether the connector lets a request in."""
    assert isinstance(connector, Webhook)
    try:
        connector.authenticate(request)
    except Rejected:
        return False
    return True


def of(kind: type[Connector[Any]]) -> list[Case]:
    """Its deliveries that are let in as they are recorded."""
    found = [case for case in REQUESTS if case.connector is kind and asked(case).method == "POST"]
    authentic = [case for case in found if is_authentic(case.instance(), asked(case))]
    assert authentic, f"{kind.name} has an entrance, but no fixture of a request that is let in"
    return authentic


SEALED: dict[str, WeixinServer] = {
    "wechat": WeChatServer(token="wechatToken0001"),
    "wecom_kf": WeComKfServer(token="wecomToken0001"),
}
"""What is sealed as well as signed: their simulators do it."""
