"""What `onethread new-connector` writes keeps every rule of the house, but for one sample that says what is to be written."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from typer.testing import CliRunner

from all_in_one.cli import app
from all_in_one.new_connector import written
from onethread.testing.fixtures import SAMPLE_SECRET

ROOT = Path(__file__).resolve().parents[2]
STYLES = ("webhook", "polling", "stream", "mounted")
MODULE = "from onethread.testing.connector_suite import *\n\nPACKAGES = ({})\n"
NORMALIZE = re.compile(r"        todo = .*\n        yield .*\n")
CHANNEL = """channels:
  - id: chn_wave
    connector: wave_polling
    allow_networks: [127.0.0.0/8]
    settings: {{account: sample-account, token: sample-secret, api_url: "{address}"}}
"""
TRANSLATED = """        claim = Claim("{name}_user", item.user, scope=self.account)
        said = Message(body=Body(text=item.text))
        who = Party(claims=(claim,), name=item.name)
        yield Event(item.id, said, external_thread_id=item.chat, sender=who, received_at=utc(item.at))
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An outside package of each style, by the command itself."""
    folder = tmp_path_factory.mktemp("new")
    for style in STYLES:
        options = ["--family", "im", "--name", f"wave_{style}", "--style", style, "--path", str(folder / style)]
        done = CliRunner().invoke(app, ["new-connector", *options], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        assert "Next:" in done.output
    return folder


def program(folder: Path, *words: str, above: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run in a folder; the four packages are found from there."""
    found = [str(path) for path in (above or folder).iterdir() if path.is_dir()]
    there = os.environ | {"PYTHONPATH": os.pathsep.join([*found, *sys.path]), "MYPYPATH": os.pathsep.join(found)}
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, env=there, capture_output=True, text=True, check=False
    )


def suite(folder: Path) -> subprocess.CompletedProcess[str]:
    """The contract over the four of them."""
    names = ", ".join(f"'onethread_wave_{style}'" for style in STYLES)
    (folder / "test_all.py").write_text(MODULE.format(names), "utf-8")
    return program(folder, "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "test_all.py")


def test_one_sample_of_each_fails_and_says_what_to_write(packages: Path, tmp_path: Path) -> None:
    done = tmp_path / "done"
    shutil.copytree(packages, done)
    first = suite(done)
    failed = re.findall(r"^FAILED \S+::(\S+)", first.stdout, re.MULTILINE)
    assert failed == [f"test_a_fixture_gives_its_recorded_output[wave_{style}-message]" for style in STYLES], (
        first.stdout
    )
    assert "write normalize() in connector.py" in first.stdout
    for style in STYLES:
        file = done / style / f"onethread_wave_{style}" / "connectors" / f"wave_{style}" / "connector.py"
        code = file.read_text("utf-8").replace("import Event, Unknown", "import Body, Claim, Event, Message, Party")
        file.write_text(NORMALIZE.sub(TRANSLATED.format(name=f"wave_{style}"), code), "utf-8")
    second = suite(done)
    assert second.returncode == 0, second.stdout


def test_the_packages_are_formatted_and_sound(packages: Path) -> None:
    for words in (("ruff", "format", "--check", "."), ("ruff", "check", ".")):
        done = program(packages, *words)
        assert done.returncode == 0, done.stdout
    names = [word for style in STYLES for word in ("-p", f"onethread_wave_{style}")]
    checked = program(ROOT, "mypy", *names, above=packages)
    assert checked.returncode == 0, checked.stdout


def test_a_refused_token_is_told_by_check(packages: Path, tmp_path: Path) -> None:
    """The polling package's `check` has no `try`: what the provider answers is said, and is no traceback."""
    shutil.copytree(packages / "polling", tmp_path, dirs_exist_ok=True)
    installed = tmp_path / "wave.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: wave\nVersion: 1\n", "utf-8")
    module = "onethread_wave_polling.connectors.wave_polling.connector"
    (installed / "entry_points.txt").write_text(f"[onethread.connectors]\nwave_polling = {module}\n", "utf-8")
    refusing = {"do_GET": lambda self: self.send_error(401), "log_message": lambda *_: None}
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Refusing", (BaseHTTPRequestHandler,), refusing)) as server:
        Thread(target=server.serve_forever).start()
        address = f"http://127.0.0.1:{server.server_port}"
        (tmp_path / "onethread.yaml").write_text(CHANNEL.format(address=address), "utf-8")
        code = "from all_in_one.cli import app; app()"
        there = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
        done = subprocess.run(
            [sys.executable, "-c", code, "check"], cwd=tmp_path, env=there, capture_output=True, text=True, check=False
        )
        server.shutdown()
    assert (done.returncode, done.stderr) == (1, "")
    assert "FAIL  chn_wave: probe\n      127.0.0.1 answers 401" in done.stdout
    assert "Renew the password or token" in done.stdout


@pytest.mark.parametrize("name", ["ab", "a_name_of_thirty_letters_at_all"])
def test_a_folder_of_this_repository_keeps_its_rules(tmp_path: Path, name: str) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for style in STYLES:
        folder = tmp_path / "services" / "im_ingest" / "connectors" / f"{name}{style[0]}"
        for file, text in written(f"{name}{style[0]}", style, "im_ingest").items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text, "utf-8")
        for package in (folder.parent, folder.parents[1]):
            (package / "__init__.py").write_text('"""A package."""\n', "utf-8")
    for words in (("ruff", "format", "--check", "services"), ("ruff", "check", "services")):
        done = program(tmp_path, *words)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("name", "said"), [("Acme", "no name"), ("class", "no name"), ("telegram", "already"), ("wave", "is there already")]
)
def test_nothing_is_written_over_what_is_there(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "pyproject.toml").write_text("# mine\n", "utf-8")
    options = ["--family", "im", "--name", name, "--style", "polling", "--path", str(tmp_path)]
    done = CliRunner().invoke(app, ["new-connector", *options])
    assert done.exit_code == 1
    assert said in " ".join(done.output.split())
    assert [path.name for path in tmp_path.iterdir()] == ["pyproject.toml"]
    assert SAMPLE_SECRET not in done.output


def test_the_guides_command_writes_a_package(tmp_path: Path) -> None:
    guide = (ROOT / "ADDING_A_CHANNEL.md").read_text("utf-8")
    (line,) = re.findall(r"^onethread (new-connector .+)$", guide, re.MULTILINE)
    code = "from all_in_one.cli import app; app()"
    there = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code, *shlex.split(line)], cwd=tmp_path, env=there, check=True)
    assert (tmp_path / "acme_talk" / "onethread_acme_talk" / "connectors" / "acme_talk" / "connector.py").is_file()
