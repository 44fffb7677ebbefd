import asyncio
import hashlib
import os
import signal
import sys
from pathlib import Path

import pytest

from onethread.blobs import Blobs
from onethread.errors import Misconfigured, OnethreadError, Poison, Retryable


@pytest.fixture(params=["file", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    return Blobs((tmp_path / "a folder").as_uri() if request.param == "file" else "memory:///")


async def test_bytes_come_back_by_their_hash(blobs: Blobs) -> None:
    sha256 = await blobs.put(b"hello")
    assert sha256 == hashlib.sha256(b"hello").hexdigest()
    assert (await blobs.get(sha256), await blobs.size(sha256)) == (b"hello", 5)


async def test_a_part_of_them_too(blobs: Blobs) -> None:
    sha256 = await blobs.put(b"hello")
    parts = [await blobs.get(sha256, *span) for span in ((1, 3), (3, None), (0, 1), (2, 2), (4, 99))]
    assert parts == [b"el", b"lo", b"h", b"", b"o"]


async def test_nothing_is_a_blob_too(blobs: Blobs) -> None:
    assert await blobs.get(await blobs.put(b"")) == b""


async def test_what_is_there_is_not_written_again(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path.as_uri())
    sha256 = await blobs.put(b"hello")
    file = tmp_path / sha256[:2] / sha256[2:4] / sha256
    before = file.stat().st_mtime_ns, file.stat().st_ino
    await blobs.put(b"hello")
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == before


async def test_what_a_power_cut_left_empty_is_written_again(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path.as_uri())
    sha256 = await blobs.put(b"hello")
    (tmp_path / sha256[:2] / sha256[2:4] / sha256).write_bytes(b"")
    await blobs.put(b"hello")
    assert await blobs.get(sha256) == b"hello"


async def test_what_nobody_stored_is_poison(blobs: Blobs) -> None:
    for span in ((0, None), (0, 1), (1, None)):
        with pytest.raises(Poison, match=r"blobs\.url"):
            await blobs.get("0" * 64, *span)


@pytest.mark.parametrize("name", ["", "../../../etc/passwd", "A" * 64, "0" * 63])
async def test_what_is_no_hash_names_nothing(blobs: Blobs, name: str) -> None:
    with pytest.raises(Poison, match="SHA-256"):
        await blobs.get(name)


@pytest.mark.parametrize(
    "url", ["", "nonsense", "ftp://example.com/x", "file://relative/x", "s3://", "file:///proc/none/x"]
)
def test_a_url_of_no_store_names_the_setting(url: str) -> None:
    with pytest.raises(Misconfigured, match=r"blobs\.url"):
        Blobs(url)


async def test_a_store_that_is_away_is_retryable_and_shows_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ENDPOINT": "http://127.0.0.1:9", "AWS_ALLOW_HTTP": "true", "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "canary",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    with pytest.raises(Retryable, match=r"blobs\.url: s3://bucket/path") as raised:
        await Blobs("s3://bucket/path").put(b"x")
    assert "canary" not in str(raised.value)


async def test_a_folder_that_became_a_file_is_said_by_its_setting(tmp_path: Path) -> None:
    blobs = Blobs((tmp_path / "blobs").as_uri())
    (tmp_path / "blobs").rmdir()
    (tmp_path / "blobs").write_text("")
    with pytest.raises((Misconfigured, Retryable), match=r"blobs\.url"):
        await blobs.put(b"x")


# --- what arrives part by part -------------------------------------------------------------------------------------

PARTS = [bytes([number]) * 300_000 for number in range(20)]


def _files(folder: Path) -> list[str]:
    return [path.name for path in _paths(folder)]


def _paths(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("parts", [PARTS, PARTS[:1], []], ids=["large", "small", "nothing"])
async def test_what_arrives_in_parts_is_the_same_blob(blobs: Blobs, parts: list[bytes]) -> None:
    whole = b"".join(parts)
    for _ in range(2):
        with blobs.arriving() as coming:
            for part in parts:
                await coming.write(part)
            assert (coming.size, coming.head) == (len(whole), whole[:64])
            assert await blobs.put(coming) == hashlib.sha256(whole).hexdigest() == await coming.whole()
    assert await blobs.get(hashlib.sha256(whole).hexdigest()) == whole
    assert await blobs.put(whole) == hashlib.sha256(whole).hexdigest()


async def test_what_did_not_arrive_leaves_nothing(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path.as_uri())
    with blobs.arriving() as coming:
        for part in PARTS:
            await coming.write(part)
        assert len(_files(tmp_path)) == 1
    assert not _files(tmp_path)
    with blobs.arriving() as coming:
        for part in PARTS:
            await coming.write(part)
        sha256 = await blobs.put(coming)
    assert _files(tmp_path) == [sha256]


DIES = """
import asyncio, os, signal, sys
from onethread.blobs import Blobs

async def main():
    with Blobs(sys.argv[1]).arriving() as coming:
        await coming.write(bytes(3_000_000))
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_a_killed_process_leaves_no_half_of_a_blob_and_its_rest_is_removed(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", DIES, tmp_path.as_uri())
    assert await process.wait() == -signal.SIGKILL
    (left,) = _paths(tmp_path)
    assert left.parent == tmp_path / "incoming"
    blobs = Blobs(tmp_path.as_uri())
    await blobs.tidy()
    assert left.exists(), "another process may still be writing to it"
    os.utime(left, (0, 0))
    await blobs.tidy()
    assert not left.exists()
    await Blobs("memory:///").tidy()


async def test_a_disk_that_takes_no_more_is_said(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path.as_uri())
    (tmp_path / "incoming").write_text("")
    with pytest.raises(OnethreadError, match=r"blobs\.url"), blobs.arriving() as coming:
        await coming.write(bytes(2_000_000))
