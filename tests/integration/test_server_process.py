"""What all servers of the test kit share: ports, start and end, and what a test run says of a server that is not there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from onethread.errors import Misconfigured
from onethread.testing.servers.ports import free_port, is_free
from onethread.testing.servers.process import ServerProcess, wait_until


def test_free_ports_are_distinct_and_below_the_ephemeral_range() -> None:
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    assert max(ports) < 32768


class Broken(ServerProcess):
    """A server that says why it cannot start."""

    name = "Broken"

    @classmethod
    def missing(cls) -> str | None:
        return None

    def prepare(self) -> None:
        """Nothing to lay out."""

    def command(self) -> list[str]:
        return ["sh", "-c", "echo the disk is on fire; exit 3"]

    def answers(self) -> bool:
        return False


class Sleeper(Broken):
    """A server with a child that only a signal to its whole group reaches."""

    name = "Sleeper"

    def command(self) -> list[str]:
        return ["sh", "-c", "sleep 600 & echo $! > child; wait"]

    def answers(self) -> bool:
        return (self.folder / "child").exists()


def test_a_server_that_does_not_start_says_what_its_log_says(tmp_path: Path) -> None:
    server = Broken(tmp_path)
    with pytest.raises(Misconfigured, match=r"(?s)Broken did not start.*the disk is on fire") as error:
        server.start()
    assert str(server.log_path) in str(error.value)
    assert not server.running
    assert is_free(server.port)


def alive(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return state.strip() != "" and not state.startswith("Z")


def test_a_kill_reaches_the_children(tmp_path: Path) -> None:
    server = Sleeper(tmp_path)
    server.start()
    wait_until(lambda: (tmp_path / "child").read_text() != "")
    child = int((tmp_path / "child").read_text())
    assert alive(child)
    server.kill()
    wait_until(lambda: not alive(child))


def test_a_server_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    program = f"""
import os
from pathlib import Path
from onethread.testing.servers.pymap import PymapServer
server = PymapServer(Path({str(tmp_path)!r}), {{}})
server.start()
print(server.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == -9, ended.stderr
    wait_until(lambda: not alive(int(ended.stdout)))


def run_tests(folder: Path, body: str, **environment: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(body)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "onethread.testing.backends",
        "-p",
        "no:cacheprovider",
        "-rs",
        "test_it.py",
    ]
    return subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=60
    )


SHARED = "def test_shared(kafka_server): raise AssertionError"
OWN = "def test_own(new_kafka_server): raise AssertionError"


def test_a_backend_that_is_missing_is_a_skip_said_twice(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    ended = run_tests(tmp_path, SHARED, ONETHREAD_TEST_KAFKA=address, ONETHREAD_REQUIRE_BACKENDS="")
    assert ended.returncode == 0, ended.stdout
    sentence = f"BACKEND MISSING: ONETHREAD_TEST_KAFKA={address} does not answer: start it, or unset the variable."
    assert ended.stdout.count(sentence) == 2
    assert f"{sentence} (1 skipped)" in ended.stdout


def test_a_backend_that_is_missing_is_a_failure_where_backends_are_required(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    ended = run_tests(tmp_path, SHARED, ONETHREAD_TEST_KAFKA=address, ONETHREAD_REQUIRE_BACKENDS="1")
    assert ended.returncode == 1, ended.stdout
    assert "does not answer" in ended.stdout


def test_a_backend_that_is_not_ours_is_not_killed_and_the_skip_says_so(tmp_path: Path) -> None:
    ended = run_tests(tmp_path, OWN, ONETHREAD_TEST_KAFKA="127.0.0.1:1")
    assert ended.returncode == 0, ended.stdout
    assert "this test kills its Kafka, and ONETHREAD_TEST_KAFKA names one that is not ours to kill" in ended.stdout
