"""The API over a real socket, as desks reach it."""

import asyncio
import socket

import httpx
import uvicorn
from desk.said import Company
from desk.site import Site


async def test_a_desk_reads_a_conversation_over_http(sqlite_site: Site, acme: Company) -> None:
    await sqlite_site.tell(acme.mail("a1", 0, "words over a socket"))
    key = await sqlite_site.key("acme")
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(sqlite_site.app, log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        try:
            headers = {"Authorization": f"Bearer {key}"}
            transport = httpx.AsyncHTTPTransport(retries=5)
            async with httpx.AsyncClient(base_url=url, headers=headers, transport=transport) as desk:
                (item,) = (await desk.get("/v1/conversations")).json()["items"]
                entries = await desk.get(f"/v1/conversations/{item['id']}/entries")
                docs = await desk.get("/docs")
        finally:
            server.should_exit = True
            await serving
    assert entries.json()["items"][0]["summary"] == "words over a socket"
    assert docs.status_code == 200
