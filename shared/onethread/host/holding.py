"""Works only as long as a lease is held. It knows how to renew and to give up, and nothing of the work."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from onethread.errors import Conflict, Retryable
from onethread.state.leases import Lease, Leases


async def while_held(leases: Leases, lease: Lease, work: Callable[[], Awaitable[None]]) -> None:
    """Do the work, renewing the lease; returns when the work is done, or was stopped because the lease is lost.

    The work is cancelled before another can have taken over; what it writes too late carries an old fencing number.
    """
    working = asyncio.ensure_future(work())
    renewing = asyncio.create_task(_renewed(leases, lease))
    try:
        await asyncio.wait({working, renewing}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (working, renewing):
            task.cancel()
        await asyncio.wait({working, renewing})
        with contextlib.suppress(Retryable):  # it runs out by itself
            await leases.release(lease)
    if not working.cancelled():
        with contextlib.suppress(Conflict):  # the work noticed first that the lease is lost
            working.result()
    if not renewing.cancelled():
        renewing.result()


async def _renewed(leases: Leases, lease: Lease) -> None:
    """Returns once the lease is lost, or nobody can say any more that it is not."""
    pause = leases.remaining(lease) / 3
    while (left := leases.remaining(lease)) > pause:
        await asyncio.sleep(min(pause, left))
        try:
            async with asyncio.timeout(leases.remaining(lease)):
                lease = await leases.renew(lease)
        except Conflict:
            return
        except (Retryable, TimeoutError):
            continue  # the store is away: the lease is still ours for a while
