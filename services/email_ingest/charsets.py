"""Bytes to text, whatever a mail claims of its charset. It knows charsets and nothing of headers or parts. Pure.

A claimed charset is a hint: senders lie (GBK sent as GB2312, Windows-1252 as Latin-1) and invent names. Nothing here raises,
and what comes out is text that JSON and every store can hold: no NUL, no lone surrogate, no control character.
"""

import codecs
import re

_SUPERSETS = {
    "gb2312": ("gb18030",),
    "gbk": ("gb18030",),
    "hz": ("hz", "gb18030"),
    "ascii": ("ascii",),
    "iso8859-1": ("cp1252",),
    "iso8859-9": ("cp1254",),
    "iso8859-11": ("cp874",),
    "tis-620": ("cp874",),
    "shift_jis": ("cp932", "shift_jisx0213"),
    "euc_kr": ("cp949",),
    "big5": ("big5hkscs", "cp950"),
    "iso2022_jp": ("iso2022_jp", "iso2022_jp_2", "iso2022_jp_ext", "iso2022_jp_3"),
    "euc_jp": ("euc_jp", "euc_jis_2004"),
}
"""Codecs to try, in this order, for a codec whose name is used for more than it can hold."""

_NAMES = {
    "cn-gb": "gb18030",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "iso-8859-8-i": "iso8859-8",
    "iso-8859-8-e": "iso8859-8",
    "iso-8859-6-i": "iso8859-6",
    "x-sjis": "cp932",
    "windows-31j": "cp932",
    "x-euc-jp": "euc_jp",
    "x-gbk": "gb18030",
    "x-mac-roman": "mac-roman",
    "macintosh": "mac-roman",
    "ansi_x3.4-1968": "ascii",
    "unicode-1-1-utf-7": "utf-7",
    "utf8mb4": "utf-8",
}

_TEXT_CODEC = re.compile(
    r"ascii|iso8859-\d+|cp\d{3,5}|koi8-[rut]|utf-(?:7|8|8-sig|16|16-le|16-be|32|32-le|32-be)|iso2022_\w+|euc_\w+"
    r"|gb2312|gbk|gb18030|big5|big5hkscs|shift_jis\w*|johab|hz|tis-620|kz1048|ptcp154|mac-\w+|hp-roman8"
)
"""Python's codecs that are charsets; others (punycode, unicode_escape) run programs' notations."""

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LINE_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_IDEOGRAPHS = re.compile("[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")
_FOREIGN = re.compile("[^\x00-\x7f]")
_RUN = re.compile(rb"[\x80-\xff]{2,}")
_HIGH = re.compile(rb"[\x80-\xff]")


def clean(text: str) -> str:
    """The text without NUL, control characters and lone surrogates; line ends are LF."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _SURROGATE.sub("\ufffd", _FORBIDDEN.sub("", text))


def one_line(text: str) -> str:
    """The text as one line: every control character, CR and LF first of all, is a blank."""
    return _SURROGATE.sub("\ufffd", _LINE_CONTROL.sub(" ", text)).strip()


def decode(data: bytes, charset: str) -> str:
    """The text of some bytes said to be in `charset`; wrong and unknown names are mended, never an error."""
    codec = _codec(charset)
    if codec == "ascii":
        return guess(data)
    if not codec or codec.startswith("utf-8"):
        return guess(data)
    codecs_to_try = _SUPERSETS.get(codec, (codec,))
    for name in (*codecs_to_try, "utf-8"):
        try:
            return data.decode(name)
        except (UnicodeError, ValueError):
            continue
    return data.decode(codecs_to_try[0], "replace")


def _codec(charset: str) -> str:
    """Python's name of the codec, "" for what is none."""
    name = charset.strip().strip("\"'").lower()
    if len(name) > 64:  # the longest registered name has 45 letters (IANA)
        return ""
    try:
        found = codecs.lookup(_NAMES.get(name, name)).name
    except (LookupError, ValueError, UnicodeError):
        return ""
    return found if _TEXT_CODEC.fullmatch(found) else ""


def guess(data: bytes) -> str:
    """The text of bytes without a trustworthy charset: UTF-8, ISO-2022-JP, GB18030, else Windows-1252."""
    try:
        if b"\x1b$" in data:
            return data.decode("iso2022_jp_ext")
        return data.decode("utf-8")
    except UnicodeError:
        pass
    damaged = data.decode("utf-8", "replace")
    if damaged.count("\ufffd") * 4 <= len(_FOREIGN.findall(damaged)):
        return damaged
    if _paired(data) >= 0.8:  # Western text has single high bytes among ASCII letters
        try:
            text = data.decode("gb18030")
        except UnicodeError:
            pass
        else:
            ideographs = len(_IDEOGRAPHS.findall(text))
            if ideographs * 10 >= len(_FOREIGN.findall(text)) * 7:
                return text
    return data.decode("cp1252", "replace")


def _paired(data: bytes) -> float:
    """The share of bytes above 127 that stand beside another one."""
    high = len(_HIGH.findall(data))
    return sum(map(len, _RUN.findall(data))) / high if high else 0.0
