"""A process that sends the story, as far as it is told: `python -m restart.produce STAGE`, with numbers on standard input.

What was not confirmed is sent again with the same ids. It ends when its input does, or when all is sent.
"""

import asyncio
import os
import sys

from restart.parts import accepted_file, stage_of
from restart.story import messages

from onethread import envelope
from onethread.errors import Retryable
from onethread.log.topics import MESSAGES

TOGETHER = 10
"""Messages of one append."""


async def main(argument: str) -> None:
    """Send, from the first message that is not known to be accepted."""
    stage = stage_of(argument)
    events = messages(stage.count, stage.seed)
    drafts = [envelope.draft(event) for event in events]
    accepted = accepted_file(stage)
    accepted.touch()
    complete = accepted.read_text().rpartition("\n")[0]  # a line cut short by a kill does not count
    sent = len(complete.splitlines())
    accepted.write_text(complete + "\n" if complete else "")
    async with stage.log("producer") as log:
        with accepted.open("a") as file:
            while sent < len(drafts):
                line = await asyncio.to_thread(sys.stdin.readline)
                if not line:
                    return
                while sent < int(line):
                    end = min(sent + TOGETHER, int(line))
                    try:
                        await log.append(MESSAGES, drafts[sent:end])
                    except Retryable:
                        continue
                    file.write("".join(f"{event.id}\n" for event in events[sent:end]))
                    file.flush()
                    os.fsync(file.fileno())
                    sent = end


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
