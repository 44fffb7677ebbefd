"""HTML of strangers, made safe to show: no scripts, no styles, nothing that loads from afar. It knows no message.

The sanitiser (ammonia, through nh3) looks at all open elements for a tag, and at all attributes for an attribute: it takes
time quadratic in both. Both are counted first, in a way that no trick with comments, quotes or wrong closing tags can make too
few; a document with too many is not shown as HTML at all: the text of the message is always there.
"""

import re

import nh3

LARGEST = 256_000
"""Characters; a longer document is cut here, and the message marked as truncated."""
MOST = 4_000
"""Elements that can nest. Newsletters have a thousand, long quotes of Outlook two."""
MOST_LOOKS = 30_000_000
"""Elements that can nest, times all tags. A look takes about ten nanoseconds."""
MOST_ATTRIBUTES = 8_000
"""Of one tag, counted by what parts them; base64 of a picture in a tag has some of these characters, too."""

_APART = re.compile(r"[\s/\"']")
_HIDDEN_END = re.compile(r"=\s{0,20}(?:\"[^\"<>]*>|'[^'<>]*>|\s{20})")
"""Perhaps a `>` within quotes, which ends no tag."""
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
    if nesting > MOST or nesting * html.count("<") > MOST_LOOKS or _attributes(html) > MOST_ATTRIBUTES:
        return None, cut
    return _CLEANER.clean(html), cut


def _attributes(html: str) -> int:
    """No tag has more attributes than this. Cheap, and too high rather than too low."""
    runs = [html] if _HIDDEN_END.search(html) else html.split(">")
    # Each attribute is parted from the one before it by one of these at least; short runs need not be counted.
    return max((len(_APART.findall(run)) for run in runs if len(run) > MOST_ATTRIBUTES), default=0)


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
