"""What an admin says about one mailbox."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator


class Settings(BaseModel):
    """One mailbox, read by IMAP, with a password or with OAuth."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    account: str = Field(
        pattern=r"^[^@\s]+@[^@\s]+$", description="The mailbox's address, such as support@example.com."
    )
    host: str = Field(min_length=1, description="IMAP server, such as imap.example.com.")
    port: int = Field(default=993, ge=1, le=65535, description="Its port: 993 with tls, 143 with starttls.")
    tls: Literal["tls", "starttls", "none"] = Field(
        default="tls",
        description="tls: encrypted from the start; starttls: after a command; none: only on one machine.",
    )
    ca_file: Path | None = Field(
        default=None, description="Certificate authority of the server, PEM, if it is one of your own."
    )
    username: str = Field(default="", description="Login name; empty: the account.")
    password: SecretStr | None = Field(
        default=None, description="Password, often one made for programs only. Leave it out with OAuth."
    )
    oauth_client_id: str = Field(default="", description="OAuth: id of your application.")
    oauth_client_secret: SecretStr | None = Field(
        default=None, description="OAuth: its secret; some servers want none."
    )
    oauth_refresh_token: SecretStr | None = Field(
        default=None, description="OAuth: refresh token from the mailbox owner's consent. Renewed by itself afterwards."
    )
    oauth_token_url: str = Field(default="", description="OAuth: where access tokens are made.")
    oauth_scope: str = Field(default="", description="OAuth: scope to ask for; empty: that of the consent.")
    folders: list[str] = Field(default=["INBOX"], min_length=1, description="Folders to read, each on a connection.")
    follow_sent: bool = Field(
        default=False,
        description="Read the folder of sent mail too, to see what people answer from their mail programs.",
    )
    addresses: list[str] = Field(default=[], description="Other addresses that are ours, such as aliases and groups.")
    authserv_ids: list[str] = Field(
        default=[],
        description=(
            "Names that your own receiving servers write at the beginning of Authentication-Results. Without them no "
            "sender counts as verified. An empty string stands for a server that writes no name (Microsoft 365)."
        ),
    )
    poll_seconds: float = Field(
        default=60.0, gt=0, le=540, description="How often to look even if the server announces nothing."
    )
    timeout_seconds: float = Field(default=30.0, gt=0, le=600, description="How long to wait for a silent server.")
    batch_mails: int = Field(default=50, ge=1, le=1000, description="Mails to fetch at once, at most.")
    batch_bytes: int = Field(default=8_000_000, ge=1, description="Bytes to fetch at once, unless one mail has more.")
    max_bytes: int = Field(
        default=50_000_000, ge=1, description="Of a mail over this size only the beginning is fetched, and marked so."
    )

    @property
    def user(self) -> str:
        """The login name."""
        return self.username or self.account

    @model_validator(mode="after")
    def _one_way_to_log_in(self) -> Self:
        oauth = bool(self.oauth_refresh_token and self.oauth_client_id and self.oauth_token_url)
        if oauth == (self.password is not None):
            raise ValueError(
                "give either password, or oauth_client_id, oauth_token_url and oauth_refresh_token (and not both)"
            )
        return self
