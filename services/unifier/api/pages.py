"""Pages for people, of one file each and without anything from elsewhere: the reference, and what each problem means."""

import html
from typing import Any

from fastapi import APIRouter
from starlette.responses import HTMLResponse, JSONResponse, Response

from unifier.api import document
from unifier.api.problems import KINDS, not_found

router = APIRouter(include_in_schema=False)

_POLICY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}
h1,h2,h3{line-height:1.2}h2{margin-top:2.5rem;border-top:1px solid #ddd;padding-top:1rem}code{font-size:.9em;background:#f4f4f4;
padding:.1em .3em;border-radius:3px}table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;
padding:.3rem .6rem .3rem 0;border-bottom:1px solid #eee}"""


@router.get("/openapi.json")
async def get_document() -> Response:
    """The OpenAPI document."""
    return JSONResponse(document.document(), headers={"Cache-Control": "public, max-age=300"})


@router.get("/docs")
async def get_reference() -> Response:
    """The reference, made of the OpenAPI document."""
    return _page("Conversation API", _reference(document.document()))


@router.get("/problems")
async def get_problems() -> Response:
    """All problems."""
    rows = "".join(
        f'<tr><td><a href="/problems/{slug}"><code>{slug}</code></a><td>{kind.status}<td>{html.escape(kind.title)}'
        for slug, kind in KINDS.items()
    )
    return _page("Problems", f"<table>{rows}</table>")


@router.get("/problems/{slug}")
async def get_problem(slug: str) -> Response:
    """What one problem means, and what the caller should do."""
    kind = KINDS.get(slug)
    if kind is None:
        raise not_found()
    text = html.escape(kind.todo).replace("`", "")
    return _page(kind.title, f"<p><code>/problems/{slug}</code>, status {kind.status}<p>{text}")


def _page(title: str, body: str) -> HTMLResponse:
    text = (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title><style>{_STYLE}</style>"
    )
    return HTMLResponse(f"{text}<h1>{html.escape(title)}</h1>{body}", headers=_POLICY)


def _reference(openapi: dict[str, Any]) -> str:
    parts = [f"<p>{_text(openapi['info']['description'])}", '<p>As <a href="/openapi.json">OpenAPI 3.2</a>.']
    for path, operations in openapi["paths"].items():
        for method, operation in operations.items():
            parts.append(_operation(method, path, operation))
    parts.append("<h2>Shapes</h2>")
    for name, schema in openapi["components"]["schemas"].items():
        parts.append(f"<h3 id={name}>{name}</h3><p>{_text(schema.get('description', ''))}{_fields(schema)}")
    return "".join(parts)


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    scopes = [scope for each in operation["security"] for scopes in each.values() for scope in scopes]
    needed = f"<p>Scope: <code>{', '.join(scopes)}</code>" if scopes else "<p>Any key."
    rows = "".join(
        f"<tr><td><code>{one['name']}</code><td>{one['in']}<td>{_type(one['schema'])}<td>{_text(one.get('description', ''))}"
        for one in operation.get("parameters", ())
    )
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    asked = f"<p>Body: {_type(body)}" if body else ""
    answer = operation["responses"]["200"].get("content", {}).get("application/json", {}).get("schema")
    answered = f"<p>Answer: {_type(answer)}" if answer else ""
    table = f"<table>{rows}</table>" if rows else ""
    return f"<h2><code>{method.upper()} {path}</code></h2><p>{_text(operation['description'])}{needed}{table}{asked}{answered}"


def _fields(schema: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{name}</code><td>{_type(field)}<td>{_text(field.get('description', ''))}"
        for name, field in schema.get("properties", {}).items()
    )
    return f"<table>{rows}</table>" if rows else ""


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if "enum" in schema:
        return " or ".join(f"<code>{html.escape(str(value))}</code>" for value in schema["enum"])
    return html.escape(str(schema.get("format") or schema.get("type") or "any"))


def _text(text: str) -> str:
    """Plain text with `code` in it."""
    pieces = html.escape(text).split("`")
    return "".join(f"<code>{piece}</code>" if number % 2 else piece for number, piece in enumerate(pieces))
