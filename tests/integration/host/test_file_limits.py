"""What a file may be, where it may come from, and what it may cost: by the running host against a provider on loopback."""

import asyncio
import hashlib
import tracemalloc
from collections.abc import AsyncIterator
from ipaddress import ip_network

import hostkit
import pytest
from shopkit import (
    CONTENT,
    Provider,
    all_told,
    cut_short,
    ended,
    failed,
    fetching,
    files,
    outcomes,
)
from starlette.responses import RedirectResponse, Response, StreamingResponse

from onethread.errors import Poison
from onethread.host.media import Limits


async def test_what_is_too_large_or_too_slow_is_not_taken(kit: hostkit.Kit, provider: Provider) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(1024)
            await asyncio.sleep(0)

    async def silent() -> AsyncIterator[bytes]:
        yield b"beg"
        await asyncio.Event().wait()

    provider.answers["large"] = [StreamingResponse(endless())]
    provider.answers["slow"] = [StreamingResponse(silent()), Response(CONTENT)]
    async with fetching(kit, provider, Limits(max_bytes=4096, seconds=0.3)) as tell:
        await tell(id="m1", files=["large", "slow"])
        assert await ended(kit) == ["failed", "stored"]


async def test_files_on_their_way_are_not_held_in_memory(kit: hostkit.Kit, provider: Provider) -> None:
    size, part = 16 * 1024 * 1024, bytes(65536)

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(size // len(part)):
            yield part

    for name in "abcd":
        provider.answers[name] = [StreamingResponse(parts())]
    tracemalloc.start()
    try:
        async with fetching(kit, provider, Limits(max_bytes=size, seconds=60), parallel=16) as tell:
            for name in "abcd":
                await tell(id=name, files=[name])
            await hostkit.until(lambda: all_told(kit, 4), seconds=60)
        assert tracemalloc.get_traced_memory()[1] < size
    finally:
        tracemalloc.stop()
    (stored,) = await files(kit)
    assert (stored.status, await kit.blobs.size(stored.sha256)) == ("stored", size)


async def test_what_is_not_what_the_provider_names_has_not_arrived(kit: hostkit.Kit, provider: Provider) -> None:
    broken = outcomes("broken")
    provider.answers["bill"] = [Response(b"a login page"), Response(CONTENT)]
    provider.answers["forged"] = [Response(b"another bill")]
    async with fetching(kit, provider) as tell:
        await tell(id="m1", files=["bill"], sha256=hashlib.sha256(CONTENT).hexdigest().upper())
        assert await ended(kit) == ["stored"]
        assert outcomes("broken") == broken + 1
        await tell(id="m2", files=["forged"], sha256="0" * 64)
        await hostkit.until(lambda: outcomes("broken") > broken + 2)
        kit.clock.advance(days=3)
        await hostkit.until(lambda: failed(kit, "m2"))
    for never in (b"a login page", b"another bill"):
        with pytest.raises(Poison):
            await kit.blobs.get(hashlib.sha256(never).hexdigest())


async def test_a_provider_that_names_a_wrong_hash_costs_no_file(kit: hostkit.Kit, provider: Provider) -> None:
    """The same bytes come again, and are of the type that is named; a page in the place of the file is none, however often it comes."""
    provider.answers["bill"] = [Response(CONTENT)]
    provider.answers["page"] = [Response(b"log in first", media_type="text/plain")]
    wrong = {"sha256": "0" * 64, "media_type": "application/pdf"}
    async with fetching(kit, provider) as tell:
        await tell(id="m1", files=["bill"], **wrong)
        assert await ended(kit) == ["stored"]
        (file,) = await files(kit)
        assert file.sha256 == hashlib.sha256(CONTENT).hexdigest()
        broken = outcomes("broken")
        await tell(id="m2", files=["page"], **wrong)
        await hostkit.until(lambda: outcomes("broken") > broken + 1)
        kit.clock.advance(days=3)
        await hostkit.until(lambda: failed(kit, "m2"))


async def test_a_file_cut_short_has_not_arrived(kit: hostkit.Kit, provider: Provider) -> None:
    broken = outcomes("broken")
    provider.answers["bill"] = [cut_short(), Response(CONTENT)]
    async with fetching(kit, provider) as tell:
        await tell(id="m1", files=["bill"])
        assert await ended(kit) == ["stored"]
    assert (await files(kit))[0].size_bytes == len(CONTENT)
    assert outcomes("broken") == broken + 1


async def test_what_says_that_it_is_too_large_is_not_read(kit: hostkit.Kit, provider: Provider) -> None:
    async def silent() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    provider.answers["large"] = [StreamingResponse(silent(), headers={"content-length": "4097"})]
    async with fetching(kit, provider, Limits(max_bytes=4096, seconds=60)) as tell:
        await tell(id="m1", files=["large"])
        assert await ended(kit) == ["failed"]


async def test_a_redirect_takes_no_credentials_along(kit: hostkit.Kit, provider: Provider) -> None:
    other = Provider()
    other.answers["there"] = [Response(CONTENT)]
    async with other.served:
        provider.answers["here"] = [RedirectResponse(f"{other.served.url}/there")]
        async with fetching(kit, provider) as tell:
            await tell(id="m1", files=["here"])
            assert await ended(kit) == ["stored"]
    assert provider.seen == [("here", "Bearer s3cret")]
    assert other.seen == [("there", "")]


@pytest.mark.parametrize("target", ["http://10.0.0.7/secrets", "http://[::1]/secrets", "http://169.254.169.254/latest"])
async def test_a_redirect_to_a_private_address_is_refused(kit: hostkit.Kit, provider: Provider, target: str) -> None:
    provider.answers["here"] = [RedirectResponse(target)]
    async with fetching(kit, provider) as tell:
        await tell(id="m1", files=["here"])
        assert await ended(kit) == ["failed"]
    assert provider.seen == [("here", "Bearer s3cret")]


@pytest.mark.parametrize("name", ["127.2", "0x0a000007", "2852039166"])  # 127.0.0.2, 10.0.0.7, 169.254.169.254
async def test_a_redirect_to_a_name_of_a_private_address_is_refused(
    kit: hostkit.Kit, provider: Provider, name: str
) -> None:
    provider.answers["here"] = [RedirectResponse(f"http://{name}/secrets")]
    async with fetching(kit, provider, allow_networks=(ip_network("127.0.0.1/32"),)) as tell:
        await tell(id="m1", files=["here"])
        assert await ended(kit) == ["failed"]
    assert provider.seen == [("here", "Bearer s3cret")]


async def test_a_url_in_a_message_reaches_no_private_address(kit: hostkit.Kit, provider: Provider) -> None:
    async with fetching(kit, provider, allow_networks=()) as tell:
        await tell(id="m1", files=["https://127.0.0.1/secrets", "https://localhost/secrets"])
        assert await ended(kit) == ["failed", "failed"]


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('attachment; filename="bill.pdf"', "bill.pdf"),
        ("attachment; filename=bill.pdf; filename*=UTF-8''%E5%8F%91%E7%A5%A8.pdf", "发票.pdf"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ('attachment; filename="C:\\\\bills\\\\may.pdf"', "may.pdf"),
        (f'attachment; filename="{"n" * 300}"', "n" * 255),
        ("inline", ""),
        ("attachment; filename*=nonsense''%ff", "ÿ"),
        ("", ""),
    ],
)
async def test_a_file_without_a_name_has_that_of_the_answer_which_brought_it(
    kit: hostkit.Kit, provider: Provider, disposition: str, name: str
) -> None:
    """Some providers name a file nowhere else."""
    provider.answers["f"] = [Response(CONTENT, headers={"content-disposition": disposition} if disposition else {})]
    async with fetching(kit, provider) as tell:
        await tell(id="m1", files=["f"])
        assert await ended(kit) == ["stored"]
    (file,) = await files(kit)
    assert file.filename == name
