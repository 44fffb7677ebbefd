"""The example of an outside package keeps the contract, loaded from its folder; and the guide shows it as it is."""

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import httpx
import msgspec
import pytest

from onethread.registry import GROUP
from onethread.testing.connector_suite import *  # noqa: F403 -- pytest collects what is imported
from onethread.testing.fixtures import Input

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "acme"
CONNECTOR = EXAMPLE / "onethread_acme" / "connectors" / "acme"

sys.path.append(str(EXAMPLE))  # in place of an installation
# Whoever has followed the guide has it installed: then its entry point brings it.
PACKAGES = () if entry_points(group=GROUP, name="acme") else ("onethread_acme",)


@pytest.mark.parametrize(
    "file",
    [EXAMPLE / "pyproject.toml", EXAMPLE / "test_acme.py", CONNECTOR / "connector.py"]
    + [CONNECTOR / "fixtures" / name for name in ("settings.json", "message.in.json", "message.out.json")],
    ids=lambda file: file.name,
)
def test_the_guide_shows_the_file_as_it_is(file: Path) -> None:
    assert file.read_text("utf-8") in (ROOT / "ADDING_A_CHANNEL.md").read_text("utf-8")


def test_what_is_captured_is_a_fixture(tmp_path: Path) -> None:
    """Byte for byte, since signatures cover them."""
    program = [sys.executable, str(ROOT / "examples" / "capture.py"), str(tmp_path), "0"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as capture:
        try:
            assert capture.stdout
            url = capture.stdout.readline().strip()
            body = b'{ "text": "gr\xc3\xbcezi" }'
            sent = httpx.post(f"{url}/in?shop=42", content=body, headers={"X-Acme-Signature": "v1=ab"}, trust_env=False)
            assert sent.status_code == 200
            written = Path(capture.stdout.readline().strip())
        finally:
            capture.terminate()
    given = msgspec.json.decode(written.read_bytes(), type=Input).request
    assert given is not None
    request = given.request()
    assert (request.method, request.path, request.query, request.body) == ("POST", "/in", {"shop": "42"}, body)
    assert request.headers == {"x-acme-signature": "v1=ab"}
