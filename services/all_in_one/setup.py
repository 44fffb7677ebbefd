"""Setting up: topics, indexes, API keys, schema files, and what the settings come to."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
import yaml
from pydantic import BaseModel, SecretStr

from all_in_one import channel_docs
from all_in_one.context import Context, connectors, fail, opened_log, opened_state, opened_store, out, run, show
from onethread.log.topics import topics as all_topics
from onethread.schemas import generate as event_schemas
from onethread.settings import Settings, validated
from onethread.state.api_keys import ApiKeys
from unifier import document as unifier_document
from unifier.api import document as api_document

topics = typer.Typer(no_args_is_help=True, help="The topics of the event log.")
indexes = typer.Typer(no_args_is_help=True, help="The indexes of the conversation store.")
api_key = typer.Typer(no_args_is_help=True, help="Keys of the conversation API.")
app = typer.Typer()

SCOPES = (
    "conversations:read", "conversations:write", "conversations:reply", "customers:read", "customers:write",
    "customers:erase", "entries:raw", "channels:read", "channels:manage", "dead_letters:manage", "webhooks:manage",
    "keys:manage", "metrics:read", "audit:read",
)  # fmt: skip
"""All scopes; those of operations that are still to come may be given already."""
READ = ("conversations:read", "customers:read", "channels:read")


async def apply_topics(ctx: Context) -> list[str]:
    """Create or grow the topics as the settings say; one line per change."""
    settings = ctx.settings.log
    async with opened_log(ctx) as log:
        return await log.apply(all_topics(settings.partitions, settings.retention_hours, settings.feed_hours))


@topics.command("apply")
def topics_apply(ctx: typer.Context) -> None:
    """Create what is missing, set retention, add partitions. Repeatable; never shrinks or deletes.

    Example: onethread topics apply
    """
    changes = run(apply_topics(ctx.obj))
    show(ctx.obj, {"changes": changes}, "\n".join(changes) or "nothing to change.")


@indexes.command("apply")
def indexes_apply(ctx: typer.Context) -> None:
    """Create the indexes that are missing. Repeatable, safe beside running workers.

    Example: onethread indexes apply
    """

    async def work() -> list[str]:
        async with opened_store(ctx.obj) as store:
            return await store.create_indexes()

    changes = run(work())
    show(ctx.obj, {"changes": changes}, "\n".join(changes) or "nothing to change.")


@api_key.command("create")
def api_key_create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="What it is for, as people will read it in the list.")],
    scope: Annotated[list[str] | None, typer.Option(help="May be given several times; reading, if none is.")] = None,
    tenant: Annotated[str, typer.Option(help="Whose data it opens.")] = "default",
    days: Annotated[int | None, typer.Option(min=1, help="Days until it expires; without it never.")] = None,
) -> None:
    """Make a key; it is shown once and cannot be read again.

    Example: onethread api-key create "service desk" --scope conversations:read --scope customers:read
    """
    scopes = tuple(scope or READ)
    unknown = [one for one in scopes if one not in SCOPES]
    if unknown:
        fail(f"there is no scope {', '.join(unknown)}; there are: {', '.join(SCOPES)}")

    async def work() -> tuple[str, str]:
        now = datetime.now(UTC)
        expires_at = now + timedelta(days=days) if days else None
        async with opened_state(ctx.obj) as state:
            text, key = await ApiKeys(state).create(tenant, name, scopes, now=now, expires_at=expires_at)
            return text, key.id

    text, key_id = run(work())
    show(ctx.obj, {"id": key_id, "key": text, "tenant": tenant, "scopes": scopes}, text)


@api_key.command("list")
def api_key_list(ctx: typer.Context, tenant: Annotated[str, typer.Option(help="Whose keys.")] = "default") -> None:
    """All keys of a tenant, without their secrets.

    Example: onethread api-key list
    """

    async def work() -> list[Any]:
        async with opened_state(ctx.obj) as state:
            return list(await ApiKeys(state).list(tenant))

    keys = run(work())
    lines = [f"{key.id}  {key.name}  {' '.join(key.scopes)}{'  revoked' if key.revoked_at else ''}" for key in keys]
    show(ctx.obj, keys, "\n".join(lines) or "no keys.")


@api_key.command("revoke")
def api_key_revoke(
    ctx: typer.Context,
    key_id: Annotated[str, typer.Argument(help="key_…, as the list shows it.")],
    tenant: Annotated[str, typer.Option(help="Whose key.")] = "default",
) -> None:
    """Refuse a key from now on; every replica knows within 60 seconds.

    Example: onethread api-key revoke key_abc
    """

    async def work() -> bool:
        async with opened_state(ctx.obj) as state:
            return await ApiKeys(state).revoke(tenant, key_id, datetime.now(UTC)) is not None

    if not run(work()):
        fail(f"there is no key {key_id} of tenant {tenant}; see `onethread api-key list --tenant {tenant}`")
    show(ctx.obj, {"id": key_id, "revoked": True}, "revoked.")


@app.command()
def schemas(
    ctx: typer.Context,
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; fail if a file differs from the code.")
    ] = False,
) -> None:
    """Write JSON Schema, AsyncAPI, OpenAPI and docs/channels/ from the code; an incompatible change is refused.

    Example: onethread schemas --check
    """
    parts: tuple[Any, ...] = (event_schemas, unifier_document, api_document, channel_docs)
    lines = [line for part in parts for line in (part.check() if check else part.write())]
    if check and lines:
        fail("\n".join([*lines, "run `make schemas`, and look at the change before you commit it"]))
    show(ctx.obj, {"files": lines}, "\n".join(lines) or "all files are as the code says.")


@app.command()
def config(ctx: typer.Context) -> None:
    """The effective settings, secrets masked, each with where it can be set.

    Example: onethread --config onethread.yaml config
    """
    settings: Settings = ctx.obj.settings
    known = connectors()
    shown = settings.model_dump(mode="json")
    for one, entry in zip(settings.channels, shown["channels"], strict=True):
        model = known.get(one.connector)
        if model is None:
            fail(
                f"channels.{one.id}.connector: there is no connector {one.connector!r}; there are: "
                f"{', '.join(sorted(known))}; an outside package must be installed where onethread is"
            )
        entry["settings"] = masked(validated(model.settings_model(), one.settings, f"channels.{one.id}.settings."))
    if ctx.obj.json:
        show(ctx.obj, shown, "")
    else:
        out.print(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True), markup=False)


def masked(settings: BaseModel) -> dict[str, Any]:
    """The values, secrets as asterisks, an empty secret as "" (so that one sees it is not set)."""
    return {name: _masked(getattr(settings, name)) for name in type(settings).model_fields}


def _masked(value: Any) -> Any:
    match value:
        case SecretStr():
            return "***" if value.get_secret_value() else ""
        case list() | tuple() | set() | frozenset():
            return [_masked(item) for item in value]
        case BaseModel():
            return masked(value)
        case None | bool() | int() | float():
            return value
        case _:
            return str(value)
