"""What is connected for a while and released again: logs, stores. It knows nothing of what they hold."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Opening(ABC):
    """Open it with `async with`, or by `open` and `close`."""

    @abstractmethod
    async def open(self) -> None:
        """Connect, and make sure that it answers. Raises Retryable if it cannot be reached, naming the setting; may be repeated."""

    @abstractmethod
    async def close(self) -> None:
        """Release everything within its own deadline, even if the other side hangs."""

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
