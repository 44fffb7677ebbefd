import hashlib
from pathlib import Path

import pytest

from onethread.blobs import Blobs
from onethread.errors import Misconfigured, Poison, Retryable


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
