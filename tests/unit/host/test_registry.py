import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from acme_ingest.connectors.acme.connector import Acme
from acme_ingest.connectors.acme_poll.connector import AcmePoll
from acme_ingest.connectors.acme_stream.connector import AcmeStream

from onethread import registry
from onethread.errors import Misconfigured

WHOLE = """
from onethread.connector import Connector, Webhook
from pydantic import BaseModel
class Settings(BaseModel): pass
class One(Connector[Settings], Webhook):
    name = network = "one"
    def authenticate(self, request): ...
    def normalize(self, raw): return ()
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "fresh_ingest" / "connectors" / "one"
    folder.mkdir(parents=True)
    for each in (folder, folder.parent, folder.parent.parent):
        (each / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for name in [name for name in sys.modules if name.startswith(("fresh_ingest", "outside_acme"))]:
        del sys.modules[name]


def test_a_folder_is_found_by_being_there() -> None:
    found = registry.connectors(["acme_ingest"])
    assert {name: found[name] for name in ("acme", "acme_poll", "acme_stream")} == {
        "acme": Acme, "acme_poll": AcmePoll, "acme_stream": AcmeStream,
    }  # fmt: skip


def test_a_new_folder_needs_no_registration(package: Path) -> None:
    (package / "connector.py").write_text(WHOLE)
    assert "one" in registry.connectors(["fresh_ingest"])


def test_an_outside_package_is_found_by_its_entry_point(package: Path) -> None:
    (package / "connector.py").write_text(WHOLE)
    outside = package.parents[2]
    (outside / "outside_acme.py").write_text(WHOLE.replace('"one"', '"two"'))
    info = outside / "outside_acme-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: outside-acme\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[onethread.connectors]\ntwo = outside_acme\n")
    assert {"one", "two"} <= set(registry.connectors(["fresh_ingest"]))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "must hold one subclass of Connector, not 0"),
        (WHOLE + "class Two(One): pass", "not 2"),
        (WHOLE.replace('name = network = "one"', 'name = "other"; network = "x"'), "name = 'one'"),
        (WHOLE.replace("name = network", "name"), "network"),
        (WHOLE.replace("def normalize", "def normalise"), "lacks normalize"),
        (WHOLE.replace(", Webhook)", ")"), "has no edge"),
        (WHOLE.replace("Connector[Settings]", "Connector"), "names no settings model"),
        ("import no_such_module", "no_such_module"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said_with_its_name(package: Path, text: str, says: str) -> None:
    (package / "connector.py").write_text(text)
    with pytest.raises(Misconfigured, match=says) as raised:
        registry.connectors(["fresh_ingest"])
    assert "One" in str(raised.value) or "connector one" in str(raised.value)


def test_two_of_one_name_are_refused(package: Path) -> None:
    (package / "connector.py").write_text(WHOLE)
    with pytest.raises(Misconfigured, match="there twice"):
        registry.connectors(["fresh_ingest", "fresh_ingest"])


def test_a_package_without_connectors_is_refused() -> None:
    with pytest.raises(Misconfigured, match="no folder connectors/"):
        registry.connectors(["json"])
