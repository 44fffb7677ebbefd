"""The API against its own OpenAPI document, by schemathesis: no 5xx, and no answer that the document does not describe.

It knows the document alone; `test_fuzz` asks what no document would: headers, odd paths, broken bodies.
"""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from desk.said import Company
from desk.site import READS, Site, fresh, opened
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, openapi
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from onethread.testing.serving import Loopback
from unifier.api.document import document

OPERATIONS = [found.ok() for found in openapi.from_dict(document()).get_all_operations()]
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
ASKED = settings(
    max_examples=20, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
async def test_an_operation_answers_as_documented(tmp_path: Path, operation: Any) -> None:
    async with opened(fresh("sqlite", tmp_path, lambda: ""), tmp_path) as site:
        company = Company("acme")
        await site.tell(company.mail("a1", 0, "words"), company.chat("c1", 200, sender=company.mia_on_whatsapp()))
        key = await site.key("acme", *READS, "entries:raw")
        async with Loopback(site.app) as served:
            await asyncio.to_thread(_ask, operation, site, served.url, {"Authorization": f"Bearer {key}"})


def _ask(operation: Any, site: Site, url: str, headers: dict[str, str]) -> None:
    """Its client blocks: beside the loop that answers."""

    @ASKED
    @given(case=operation.as_strategy())
    def ask(case: Case) -> None:
        site.now += 60_000  # a key may ask so often a minute
        case.validate_response(case.call(base_url=url, headers=headers, timeout=30), checks=CHECKS)

    ask()
