"""Paragraphs of `format=flowed` text put together again (RFC 3676). It knows that format only. Pure."""


def unflow(text: str, *, delete_space: bool) -> str:
    """Join lines that end in a blank with the next of the same quote depth; `delete_space` is the parameter DelSp."""
    out: list[str] = []
    paragraph: list[str] = []
    depth = 0

    def end() -> None:
        if paragraph:
            prefix = ">" * min(depth, 20) + " " if depth else ""
            out.append(prefix + "".join(paragraph))
            paragraph.clear()

    for raw in text.split("\n"):
        line = raw.lstrip(">")
        level = len(raw) - len(line)
        line = line.removeprefix(" ")  # space-stuffing
        signature = line == "-- "
        if level != depth or signature:
            end()
        depth = level
        flows = line.endswith(" ") and not signature
        paragraph.append(line[:-1] if flows and delete_space else line)
        if not flows:
            end()
    end()
    return "\n".join(out)
