"""Which words of a mail are new. It knows how mail programs quote, in many languages, and nothing of MIME. Pure.

Line rules of our own, all linear: the regular expressions of the usual strippers hang on one hostile line. What is stripped
is only left out of the new words; the full text is kept beside them.
"""

import re

MAX_LINE = 1_000
"""No attribution is longer; a longer line is text."""
WRAPPED = 4
"""Lines over which programs wrap an attribution."""

_ATTRIBUTIONS: tuple[tuple[str, str, str], ...] = (
    # begins with, contains, ends with; "" is anything
    ("on ", "", "wrote:"),
    ("", "", " wrote:"),
    ("am ", " schrieb ", ":"),
    ("am ", "", " schrieb:"),
    ("", " schrieb am ", ":"),
    ("le ", "", "a écrit:"),
    ("el ", "", "escribió:"),
    ("em ", "", "escreveu:"),
    ("a ", "", "escreveu:"),
    ("il ", "", "ha scritto:"),
    ("op ", " schreef ", ":"),
    ("op ", "", " schreef:"),
    ("op ", "", " geschreven:"),
    ("den ", " skrev ", ":"),
    ("", "", " skrev:"),
    ("", "", " napisał(a):"),
    ("", "", " pisze:"),
    ("", "", " написал(а):"),  # noqa: RUF001 -- Russian
    ("", "", " пишет:"),
    ("", "", " kirjoitti:"),
    ("", "", " yazdı:"),  # noqa: RUF001 -- Turkish
    ("", "", " napsal(a):"),
    ("", "", "写道:"),
    ("", "", "寫道:"),
    ("", "", "のメール:"),
    ("", "", "書きました:"),
    ("", "", "님이 작성:"),
)
_SEPARATORS = frozenset(
    (
        "original", "original message", "ursprüngliche nachricht", "originalnachricht", "message d'origine", "message original",
        "mensaje original", "mensagem original", "messaggio originale", "oorspronkelijk bericht", "ursprungligt meddelande",
        "oprindelig meddelelse", "wiadomość oryginalna", "исходное сообщение", "原始邮件", "原始郵件", "原邮件",
        "original-nachricht", "元のメッセージ", "원본 메시지",
    )
)  # fmt: skip
_FROM_LABELS = frozenset(
    ("from", "von", "de", "da", "van", "från", "fra", "od", "от", "发件人", "寄件者", "寄件人", "差出人", "보낸 사람")
)
_OTHER_LABELS = frozenset(
    (
        "sent", "date", "to", "subject", "cc", "gesendet", "datum", "an", "betreff", "kopie", "envoyé", "à", "objet",
        "enviado", "enviado el", "fecha", "para", "asunto", "data", "enviada em", "enviado em", "assunto", "inviato", "a",
        "oggetto", "verzonden", "aan", "onderwerp", "skickat", "till", "ämne", "sendt", "til", "emne", "wysłano", "do",
        "temat", "отправлено", "кому", "тема", "дата", "发送时间", "发送日期", "日期", "收件人", "抄送", "主题", "寄件日期", "收件者",
        "主旨", "送信日時", "宛先", "件名", "보낸 날짜", "받는 사람", "제목",
    )
)  # fmt: skip
_FORWARDED = frozenset(("fw", "fwd", "wg", "tr", "rv", "enc", "i", "vs", "转发", "轉寄", "vb", "doorst", "пересл"))
_YEAR_OR_TIME = re.compile(r"\d{4}|\d{1,2}[:.h]\d{2}|\d{1,2}時|@")


def is_forward(subject: str) -> bool:
    """Whether the first prefix of a subject says "forwarded": then what follows the separator is news, not a quote."""
    prefix = subject.replace("：", ":").partition(":")  # noqa: RUF001 -- the full-width colon of Chinese programs
    return bool(prefix[1]) and prefix[0].strip().casefold() in _FORWARDED


def new_words(text: str, *, quoted_from: int | None = None, forward: bool = False) -> str:
    """The text without what it quotes. Never empty unless the text is: a mail of quotes only is its own new words."""
    if quoted_from is not None and not forward:
        kept = _without_quotes(text[:quoted_from].split("\n"), forward=False)
    else:
        kept = _without_quotes(text.split("\n"), forward=forward)
    return kept or text.strip()


def _without_quotes(lines: list[str], *, forward: bool) -> str:
    plain = [_plain(line) for line in lines]
    kept: list[str] = []
    index = 0
    while index < len(lines):
        line = lines[index]
        if line.startswith(">"):
            index += 1
            continue
        if not forward and _cuts(plain, index):
            _drop_rule(kept)
            break
        span = _attribution(plain, index)
        if span and _quote_follows(plain, index + span):
            index += span
            continue
        if span and not forward and _is_dated(lines[index : index + span]):
            break
        kept.append(line)
        index += 1
    return _trimmed(kept)


def _drop_rule(lines: list[str]) -> None:
    """Remove the line of dashes or underscores that stands before a copied header."""
    while lines and (not lines[-1].strip() or (len(lines[-1].strip()) >= 10 and not lines[-1].strip("_-─ \t"))):
        lines.pop()


def _trimmed(lines: list[str]) -> str:
    """Joined, without blank ends and without the gaps that quotes left."""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in lines)).strip()


def _plain(line: str) -> str:
    """A line as it is compared: short ones only, without case, emphasis and full-width punctuation."""
    if len(line) > MAX_LINE:
        return ""
    text = " ".join(line.split()).replace("：", ":").replace("*", "")  # noqa: RUF001
    return text.replace(" :", ":").casefold()


def _cuts(plain: list[str], index: int) -> bool:
    """Whether all that follows is a quoted mail: a separator, our own delimiter, or a copied header."""
    line = plain[index]
    if not line:
        return False
    if "reply above this line" in line and line.startswith(("##", "--", "==")):
        return True
    if line.startswith("--") and line.endswith("--") and line.strip("- ") in _SEPARATORS:
        return True
    return _label(line) in _FROM_LABELS and _header_follows(plain, index + 1)


def _label(line: str) -> str:
    name, colon, _ = line.partition(":")
    return name.strip() if colon else ""


def _header_follows(plain: list[str], index: int) -> bool:
    labels = [_label(line) for line in plain[index : index + 8]]
    return len({label for label in labels if label in _OTHER_LABELS}) >= 2  # one may be chance


def _attribution(plain: list[str], index: int) -> int:
    """Over how many lines an attribution ("On … wrote:") runs that begins here; 0 if none does."""
    joined = ""
    for span in range(1, WRAPPED + 1):
        line = plain[index + span - 1] if index + span <= len(plain) else ""
        if not line or line.startswith(">"):
            return 0
        joined = f"{joined} {line}".strip()
        if line.endswith(":") and _names_author(joined, wrapped=span > 1, address="@" in plain[index]):
            return span
    return 0


def _names_author(text: str, *, wrapped: bool, address: bool) -> bool:
    """Whether a line that ends in a colon says who wrote what follows; one put together must begin like it, too."""
    return any(
        (first or not wrapped or address) and text.startswith(first) and middle in text and text.endswith(last)
        for first, middle, last in _ATTRIBUTIONS
    )


def _quote_follows(plain: list[str], index: int) -> bool:
    """Whether the next line that is not blank is quoted. Looks at a few: programs leave one blank line, at most two."""
    return next((line.startswith(">") for line in plain[index : index + 4] if line), False)


def _is_dated(lines: list[str]) -> bool:
    return _YEAR_OR_TIME.search(" ".join(lines)) is not None
