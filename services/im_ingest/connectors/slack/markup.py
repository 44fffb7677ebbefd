"""Slack's markup as plain text: mentions, links and escapes of mrkdwn, and the words of blocks. It knows no message.

Slack API docs, "Formatting text for app surfaces": `<@U…>`, `<#C…|name>`, `<!here>`, `<url|label>`; only &, < and > are escaped.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from onethread.event import WebLink

MARK = re.compile(r"<([@#!][^<>\n]{1,4000}|[A-Za-z][A-Za-z0-9+.-]{1,30}:[^<>\n]{1,4000})>")
DEEPEST = 12
"""Levels of blocks that are read; Slack's own have about five."""


class Plain(NamedTuple):
    """Text as people see it. `users`: ids of those who are mentioned; `links`: in order, with their labels."""

    text: str
    users: tuple[str, ...]
    links: tuple[WebLink, ...]


def plain(text: str) -> Plain:
    """What a mrkdwn text reads like. A person's name is not in it unless Slack wrote it there: then the id stands."""
    pieces: list[str] = []
    users: dict[str, None] = {}
    links: list[WebLink] = []
    end = 0
    for mark in MARK.finditer(text):
        pieces += (_unescaped(text[end : mark.start()]), _shown(mark[1], users, links))
        end = mark.end()
    pieces.append(_unescaped(text[end:]))
    return Plain("".join(pieces), tuple(users), tuple(links))


def _shown(inside: str, users: dict[str, None], links: list[WebLink]) -> str:
    target, _, label = (_unescaped(part) for part in inside.partition("|"))
    if target.startswith("@"):
        users[target[1:]] = None
        return f"@{label.removeprefix('@') or target[1:]}"
    if target.startswith("#"):
        return f"#{label or target[1:]}"
    if target.startswith("!"):
        return label or f"@{target[1:].partition('^')[0]}"
    if target.startswith(("mailto:", "tel:")):
        return label or target.partition(":")[2]
    links.append(WebLink(url=target, title="" if label == target else label))
    return label or target


def _unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def words(blocks: list[Any] | None) -> str:
    """What can be read of blocks, a line each; mrkdwn still marked."""
    return "\n".join(line for block in blocks or () if (line := "".join(_words(block, 0)).strip()))


def kinds(blocks: list[Any] | None) -> frozenset[str]:
    """The types of blocks there are."""
    found = (block.get("type") for block in blocks or () if isinstance(block, dict))
    return frozenset(kind for kind in found if isinstance(kind, str))


def _words(node: Any, depth: int) -> Iterator[str]:
    """Of an element and what is in it, in order. In rich text words stand as they are, so they are escaped here."""
    if depth > DEEPEST:
        return
    if isinstance(node, list):
        for each in node:
            yield from _words(each, depth + 1)
    elif isinstance(node, dict):
        yield _own(node)
        for name in ("title", "text", "fields", "elements"):
            if isinstance(node.get(name), dict | list):
                yield from _words(node[name], depth + 1)
        if _text(node, "type") in LINES:
            yield "\n"


LINES = frozenset({"rich_text_section", "rich_text_preformatted", "rich_text_quote", "plain_text", "mrkdwn"})
"""Elements that end a line."""


SPELLED = {
    "user": ("<@", "user_id", ">"),
    "usergroup": ("<!subteam^", "usergroup_id", ">"),
    "channel": ("<#", "channel_id", ">"),
    "broadcast": ("<!", "range", ">"),
    "emoji": (":", "name", ":"),
    "image": ("", "alt_text", ""),
}
"""Elements whose words are in a field of their own, and what stands around it in mrkdwn."""


def _own(node: dict[str, Any]) -> str:
    """The words of one element alone, as mrkdwn."""
    kind, said = node.get("type"), _text(node, "text")
    if kind == "link":
        url = _escaped(_text(node, "url"))
        return f"<{url}|{_escaped(said)}>" if said else f"<{url}>"
    if isinstance(kind, str) and kind in SPELLED:
        before, name, after = SPELLED[kind]
        return f"{before}{_escaped(_text(node, name))}{after}"
    return said if kind == "mrkdwn" else _escaped(said)


def _text(node: dict[str, Any], name: str) -> str:
    value = node.get(name)
    return value if isinstance(value, str) else ""


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
