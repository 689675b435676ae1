"""What can be set for an account at X."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, model_validator

from connector.sources.base import SourceOptions, WebAddress


class XOptions(SourceOptions):
    """An app of https://console.x.com with read and write permission, and the access token of our account."""

    api_key: SecretStr = Field(description="the app's API key (consumer key)")
    api_secret: SecretStr = Field(description="the app's API secret; it also signs the calls of the webhook")
    access_token: SecretStr = Field(description="access token of our account (OAuth 1.0a)")
    access_token_secret: SecretStr = Field(description="the secret that belongs to access_token")
    user_id: str = Field(default="", description="our account's number; default: as access_token begins with it")
    conversation: Literal["thread", "thread_and_author"] = Field(
        default="thread_and_author", description="what belongs on one ticket: a whole thread, or one author in it"
    )
    poll: float = Field(default=60.0, ge=0.05, description="seconds between two pulls")
    poll_mentions: bool = Field(default=True, description="ask for mentions; false: only the webhook brings them")
    direct_messages: bool = Field(
        default=False, description="take and answer direct messages, where the app may (not the encrypted chat)"
    )
    direct_messages_every: float = Field(
        default=120.0, ge=0, description="seconds between two looks for direct messages; X allows 15 in 15 minutes"
    )
    replies_to: Literal["summoned", "anyone"] = Field(
        default="summoned", description="whom X lets us answer: who mentioned or quoted us; anyone (enterprise plans)"
    )
    links: Literal["send", "refuse"] = Field(
        default="send", description="a reply with a link in it costs many times more: send it, or tell the agent"
    )
    reads_per_day: int | None = Field(
        default=2000, ge=1, description="posts and messages we may read in a UTC day, for they cost; null: any number"
    )
    posts_per_day: int | None = Field(
        default=100, ge=1, description="posts and messages we may write in a UTC day; null: any number"
    )
    watch_hours: float = Field(
        default=24.0, ge=0, le=720, description="how long to look whether a mention was edited or deleted; 0: never"
    )
    watch_every: float = Field(default=3600.0, ge=0, description="seconds between two such looks")
    max_length: int = Field(
        default=280, ge=25, le=25_000, description="length of a post, in X's counting; more for Premium accounts"
    )
    max_parts: int = Field(default=3, ge=1, le=20, description="posts a longer reply may be split into")
    service: WebAddress = Field(default="https://api.x.com", description="address of the API")
    web: WebAddress = Field(default="https://x.com", description="web address under which people read posts")

    @model_validator(mode="after")
    def _knows_us(self) -> XOptions:
        if not self.us.isdecimal():
            raise ValueError("access_token does not begin with our account's number: give it as `user_id`")
        return self

    @property
    def us(self) -> str:
        """Our account's number. Access tokens have been `number-letters` for years; no page of X promises it."""
        return self.user_id or self.access_token.get_secret_value().partition("-")[0]
