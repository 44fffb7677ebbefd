from pathlib import Path

import pytest

from onethread.testing.figures import VARIABLE, Figures, peak_memory, report, reported


def test_what_is_reported_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "figures"
    monkeypatch.setenv(VARIABLE, str(file))
    first = Figures("broker frozen", 3, accepted=10, stored=10, recovery=(0.5, 1.25), on="Kafka + MongoDB")
    second = Figures("broker killed", 1, accepted=10, stored=9, lost=1, equal=False)
    report(first)
    report(second)
    assert reported(file) == [first, second]


def test_without_a_file_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    report(Figures("broker frozen", 3, accepted=10, stored=10))
    assert reported(tmp_path / "figures") == []


def test_a_process_needs_some_megabytes() -> None:
    assert 10**7 < peak_memory() < 10**11
