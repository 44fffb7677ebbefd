"""Settings: one file and the environment, nothing unknown, every wrong key named, no secret shown."""

import traceback
from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field, SecretStr, model_validator

from onethread.errors import Misconfigured
from onethread.settings import Settings, load, masked, validated

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(text: str) -> Path:
        file = tmp_path / "onethread.yaml"
        file.write_text(text, encoding="utf-8")
        return file

    return written


def refused(file: Path | None, **environment: str) -> str:
    """The sentence with which the settings are refused, and all that a log could show of it."""
    with pytest.raises(Misconfigured) as caught:
        load(file, environment)
    shown = "".join(traceback.format_exception(caught.value))
    assert "SECRET" not in shown
    return str(caught.value)


# --- where values come from --------------------------------------------------------------------------------------------


def test_without_anything_the_defaults_hold() -> None:
    settings = load(None, {})
    assert settings == Settings()
    assert (settings.data, settings.http.port, settings.log.url, settings.channels) == (
        Path(".onethread"),
        8080,
        "",
        (),
    )


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "{}"])
def test_an_empty_file_is_one_of_defaults(write: Write, text: str) -> None:
    assert load(write(text), {}) == Settings()


def test_environment_over_file_over_default(write: Write) -> None:
    file = write("http: {port: 9000, host: 0.0.0.0}\nlog_level: DEBUG\n")
    settings = load(file, {"ONETHREAD_HTTP__PORT": "9100", "ONETHREAD_LOG__PARTITIONS": "3", "PATH": "/bin"})
    assert (settings.http.port, settings.http.host, settings.http.max_waiting) == (9100, "0.0.0.0", 512)
    assert (settings.log_level, settings.log.partitions) == ("DEBUG", 3)


def test_the_environment_holds_lists_and_mappings_as_yaml() -> None:
    environment = {
        "ONETHREAD_KEYS": f'["{"k" * 32}", "{"l" * 32}"]',
        "ONETHREAD_CHANNELS": "[{id: chn_a, connector: acme, allow_networks: [127.0.0.0/8], settings: {account: T1}}]",
        "ONETHREAD_TENANTS__SHOP__GROUPING": "threads",
        "ONETHREAD_GROUPING__IDLE_HOURS": "2.5",
    }
    settings = load(None, environment)
    assert [key.get_secret_value()[0] for key in settings.keys] == ["k", "l"]
    assert settings.channels[0].allow_networks == (IPv4Network("127.0.0.0/8"),)
    assert settings.channels[0].settings == {"account": "T1"}
    assert settings.tenants["shop"].grouping == "threads"
    assert settings.grouping.idle_hours == 2.5


@pytest.mark.parametrize("password", ["[abc]", "{abc", "a: b", "yes", "0123", "", " ", "null", "#1", "*x"])
def test_a_text_in_the_environment_is_taken_as_it_is(password: str) -> None:
    settings = load(None, {"ONETHREAD_LOG__PASSWORD": password, "ONETHREAD_STORE__DATABASE": password})
    assert settings.log.password.get_secret_value() == password
    assert settings.store.database == password


def test_variables_that_are_no_settings_are_left_alone() -> None:
    environment = dict.fromkeys(
        ["ONETHREAD_CONFIG", "ONETHREAD_API_KEY", "ONETHREAD_TEST_KAFKA", "ONETHREAD_REQUIRE_BACKENDS", "ONE", "HOME"],
        "x",
    )
    assert load(None, environment) == Settings()


def test_settings_do_not_change(write: Write) -> None:
    settings = load(write("log_level: ERROR"), {})
    with pytest.raises(ValueError, match="frozen"):
        settings.log_level = "DEBUG"  # type: ignore[misc]


# --- references --------------------------------------------------------------------------------------------------------


def test_references_are_replaced_wherever_they_stand(write: Write, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file\n", encoding="utf-8")
    file = write(
        "store: {url: 'mongodb://app:${env:DB_PASSWORD}@db.example.com/'}\n"
        "channels:\n"
        "  - {id: chn_a, connector: acme, hook_secret: '${env:HOOK}',\n"
        f"     settings: {{token: '${{file:{tmp_path}/token}}', list: ['${{env:HOOK}}-${{env:HOOK}}', 7, true]}}}}\n"
    )
    settings = load(file, {"DB_PASSWORD": "pässword", "HOOK": "hook"})
    assert settings.store.url.get_secret_value() == "mongodb://app:pässword@db.example.com/"
    assert settings.channels[0].hook_secret.get_secret_value() == "hook"
    assert settings.channels[0].settings == {"token": "from-file", "list": ["hook-hook", 7, True]}


def test_what_a_reference_brings_is_not_looked_into(write: Write) -> None:
    settings = load(write("store: {database: '${env:A}'}"), {"A": "${env:B}", "B": "x"})
    assert settings.store.database == "${env:B}"


def test_a_reference_to_nothing_names_setting_and_variable(write: Write) -> None:
    said = refused(write("channels: [{id: chn_a, connector: acme, settings: {token: '${env:GONE}'}}]"))
    assert said == "channels.0.settings.token: the environment variable GONE is not set"


def test_a_reference_to_no_file_names_setting_and_file(write: Write, tmp_path: Path) -> None:
    said = refused(write(f"log: {{password: '${{file:{tmp_path}/gone}}'}}"))
    assert said == f"log.password: the file {tmp_path}/gone cannot be read: FileNotFoundError"
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    assert "UnicodeDecodeError" in refused(write(f"log: {{password: '${{file:{tmp_path}/bytes}}'}}"))


# --- what is wrong is named --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("log: {urll: 'SECRET'}", "log.urll"),
        ("lgo: {url: 'SECRET'}", "lgo"),
        ("channels: [{id: chn_a, connector: acme, tokn: SECRET}]", "channels.0.tokn"),
        ("tenants: {shop: {idle: SECRET}}", "tenants.shop.idle"),
        ("7: SECRET", "7"),
    ],
)
def test_an_unknown_key_of_the_file_is_refused_by_name(write: Write, text: str, key: str) -> None:
    assert refused(write(text)).startswith(f"{key}: there is no such setting")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("ONETHREAD_LOG__URLL", "log.urll"),
        ("ONETHREAD_LGO__URL", "lgo.url"),
        ("ONETHREAD_PORT", "port"),
        ("ONETHREAD_", ""),
        ("ONETHREAD_HTTP__", "http."),
    ],
)
def test_an_unknown_variable_is_refused_by_name(name: str, path: str) -> None:
    assert refused(None, **{name: "SECRET"}).startswith(f"{name}: there is no setting {path}")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("http: {port: SECRET}", "http.port"),
        ("http: {port: 70000}", "http.port"),
        ("http: SECRET", "http"),
        ("log: {partitions: 0}", "log.partitions"),
        ("log: {retention_hours: SECRET}", "log.retention_hours"),
        ("log: {security: SECRET}", "log.security"),
        ("log: {password: 12345}", "log.password"),
        ("log_level: SECRET", "log_level"),
        ("keys: [SECRET]", "keys"),
        ("keys: SECRET", "keys"),
        ("channels: {a: SECRET}", "channels"),
        ("channels: [{id: SECRET, connector: acme}]", "channels.0.id"),
        ("channels: [{connector: SECRET}]", "channels.0.id"),
        ("channels: [{id: chn_a, connector: acme, allow_networks: [SECRET]}]", "channels.0.allow_networks.0"),
        ("channels: [{id: chn_a, connector: acme, created_at: SECRET}]", "channels.0.created_at"),
        ("tenants: {shop: {grouping: SECRET}}", "tenants.shop.grouping"),
        ("grouping: {idle_hours: -1}", "grouping.idle_hours"),
    ],
)
def test_a_wrong_value_is_refused_by_its_key(write: Write, text: str, key: str) -> None:
    assert refused(write(text)).startswith(f"{key}")


def test_every_wrong_key_is_named_at_once(write: Write) -> None:
    said = refused(write("http: {port: SECRET, prot: 1}\nchannels: [{id: chn_a}]\n"))
    assert [line.split(":")[0] for line in said.splitlines()] == ["http.port", "http.prot", "channels.0.connector"]


def test_a_channel_id_is_used_once(write: Write) -> None:
    two = "channels: [{id: chn_a, connector: x}, {id: chn_a, connector: y}, {id: chn_b, connector: x}]"
    assert refused(write(two)) == "settings: channel ids are used twice: chn_a"


@pytest.mark.parametrize(
    "environment",
    [
        {"ONETHREAD_LOG": "SECRET", "ONETHREAD_LOG__URL": "x"},
        {"ONETHREAD_LOG__URL": "x", "ONETHREAD_LOG": "SECRET"},
        {"ONETHREAD_LOG__URL": "SECRET", "ONETHREAD_LOG__URL__HOST": "x"},
        {"ONETHREAD_CHANNELS__0__ID": "SECRET"},
        {"ONETHREAD_HTTP__PORT": "SECRET"},
    ],
)
def test_variables_that_do_not_fit_are_refused_by_name(environment: dict[str, str]) -> None:
    said = refused(None, **environment)
    assert any(part in said for part in ("ONETHREAD_LOG", "channels", "http.port"))


def test_a_mapping_in_the_environment_joins_that_of_the_file(write: Write) -> None:
    settings = load(write("http: {port: 9000}"), {"ONETHREAD_HTTP": "{host: 0.0.0.0}"})
    assert (settings.http.port, settings.http.host) == (9000, "0.0.0.0")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("log: {url: SECRET", "line 1, column 18"),
        ("a: b: SECRET", "line 1"),
        ("\tSECRET", "line 1"),
        ("- SECRET", "mapping"),
        ("SECRET", "mapping"),
    ],
)
def test_a_file_that_is_no_mapping_says_where(write: Write, text: str, where: str) -> None:
    said = refused(write(text))
    assert "onethread.yaml" in said
    assert where in said


def test_a_file_that_is_not_there_or_not_text_says_so(tmp_path: Path) -> None:
    assert "no such settings file" in refused(tmp_path / "gone.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    assert "cannot be read" in refused(tmp_path / "bytes.yaml")
    assert "cannot be read" in refused(tmp_path)


def test_yaml_makes_no_objects(write: Write) -> None:
    assert "cannot be read" in refused(write("log: !!python/object/apply:os.getcwd []"))


# --- secrets -----------------------------------------------------------------------------------------------------------

SECRETS: dict[str, Any] = {
    "log": {"password": "SECRET-password"},
    "store": {"url": "mongodb://app:SECRET-store@db.example.com/"},
    "keys": ["SECRET-key" + "x" * 32],
    "channels": [
        {"id": "chn_a", "connector": "acme", "hook_secret": "SECRET-hook", "settings": {"token": "SECRET-token", "n": {"a": ["SECRET"]}}}
    ],
}  # fmt: skip


def test_no_secret_is_shown() -> None:
    settings = validated(Settings, SECRETS, "")
    shown = repr(settings) + str(settings) + repr(settings.channels) + str(masked(settings))
    assert "SECRET" not in shown
    assert settings.channels[0].settings["token"] == "SECRET-token"


def test_masked_shows_all_that_is_no_secret() -> None:
    shown = masked(validated(Settings, SECRETS | {"http": {"port": 9000}}, ""))
    assert shown["http"]["port"] == 9000
    assert shown["channels"][0]["connector"] == "acme"
    assert shown["channels"][0]["settings"] == {"token": "***", "n": "***"}
    assert shown["log"]["password"] == "**********"
    assert shown["keys"] == ["**********"]


def test_a_connectors_settings_are_named_with_their_channel() -> None:
    class Shop(BaseModel):
        account: str
        secrets: list[SecretStr]

    values = {"secrets": SECRETS["log"]["password"]}
    with pytest.raises(Misconfigured) as caught:
        validated(Shop, values, "channels.chn_a.settings.")
    shown = "".join(traceback.format_exception(caught.value))
    assert "SECRET" not in shown
    assert str(caught.value).splitlines() == [
        "channels.chn_a.settings.account: is needed and not set",
        "channels.chn_a.settings.secrets: Input should be a valid list",
    ]


def test_what_belongs_into_a_setting_is_said_where_its_form_is_wrong() -> None:
    class Shop(BaseModel):
        account: str = Field(pattern=r"^\d+$", description="Page ID, under About.")
        edge: str = ""

        @model_validator(mode="after")
        def _whole(self) -> "Shop":
            if self.edge == "webhook":
                raise ValueError("secrets: is needed for edge webhook")
            return self

    for values, said in (
        (
            {"account": "My page"},
            "channels.chn_a.settings.account: is not of the right form. What belongs there: Page ID, under About.",
        ),
        ({"account": "1", "edge": "webhook"}, "channels.chn_a.settings: secrets: is needed for edge webhook"),
    ):
        with pytest.raises(Misconfigured) as caught:
            validated(Shop, values, "channels.chn_a.settings.")
        assert str(caught.value) == said


def test_every_setting_is_described() -> None:
    def undescribed(model: type[BaseModel], where: str) -> list[str]:
        found = []
        for name, field in model.model_fields.items():
            found += [] if field.description else [f"{where}{name}"]
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                found += undescribed(field.annotation, f"{where}{name}.")
        return found

    assert undescribed(Settings, "") == []
