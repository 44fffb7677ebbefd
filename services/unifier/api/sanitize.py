"""HTML of strangers, made safe to show: no scripts, no styles, nothing that loads from afar. It knows no message.

The sanitiser (ammonia, through nh3) takes time quadratic in the depth of nesting. Elements that can nest are counted first,
which no trick with comments or wrong closing tags can make too few; a document with too many is not shown as HTML at all:
the text of the message is always there.
"""

import re

import nh3

LARGEST = 256_000
"""Characters; a longer document is cut here, and the message marked as truncated. It also bounds the attributes of one tag."""
MOST = 8_000
"""Elements that can nest."""

_OPENING = re.compile(r"<([a-zA-Z][a-zA-Z0-9]*)")
_NEVER_NEST = frozenset(
    {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
    | {"p", "li", "td", "th", "tr", "dd", "dt", "option", "tbody", "thead", "tfoot"}  # the next one closes them
)
_SCHEMES = {"http", "https", "mailto", "tel", "cid"}


def clean(html: str) -> tuple[str | None, bool]:
    """The HTML to show (None: none that is safe at a fair price), and whether it was cut."""
    cut = len(html) > LARGEST
    html = html[:LARGEST]
    nesting = sum(found[1].lower() not in _NEVER_NEST for found in _OPENING.finditer(html))
    if nesting > MOST:
        return None, cut
    return _CLEANER.clean(html), cut


def _only_inside(tag: str, attribute: str, value: str) -> str | None:
    """Pictures of the mail itself stay (`cid:`); what a reader's browser would fetch from elsewhere does not."""
    if tag == "img" and attribute == "src" and not value.strip().lower().startswith("cid:"):
        return None
    return value


_CLEANER = nh3.Cleaner(
    attribute_filter=_only_inside,
    url_schemes=_SCHEMES,
    link_rel="noopener noreferrer nofollow",
    url_relative="deny",
)
