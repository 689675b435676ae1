"""What can be set for a Facebook Page and for an Instagram account."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from connector.sources.base import SourceOptions, WebAddress


class MetaOptions(SourceOptions):
    """What both take: an app of https://developers.facebook.com/apps and a token of the account."""

    app_secret: SecretStr = Field(description="the app's secret; it signs the webhook's calls and proves ours")
    access_token: SecretStr = Field(description="long-lived token of the page or account")
    verify_token: SecretStr | None = Field(
        default=None,
        description="any text of yours, given to Meta with the webhook's address; without it: no webhook",
    )
    conversation: Literal["thread", "thread_and_author"] = Field(
        default="thread_and_author", description="what belongs on one ticket: a whole thread, or one author in it"
    )
    poll: float = Field(default=300.0, ge=0.05, description="seconds between two pulls")
    look_through: int = Field(
        default=25, ge=0, le=100, description="how many of the newest posts are pulled for comments; 0: webhook only"
    )
    messages: bool = Field(default=True, description="take and answer direct messages, where the app may")
    human_agent: bool = Field(
        default=False, description="the app may send as a human agent: messages are answered for 7 days, not 24 h"
    )
    overlap_hours: float = Field(
        default=48.0, gt=0, le=168, description="how far back a pull looks again, for what changed or was deleted"
    )
    comment_length: int = Field(default=8000, ge=1, description="characters that fit in a comment")
    message_length: int = Field(default=2000, ge=1, description="characters that fit in a message")
    max_parts: int = Field(default=3, ge=1, le=20, description="posts a longer reply may be split into")
    appsecret_proof: bool = Field(default=True, description="send a proof of the app's secret with each call")
    version: str = Field(default="v26.0", pattern=r"^v\d+\.\d+$", description="version of the Graph API")


class FacebookOptions(MetaOptions):
    """A page."""

    page_id: str = Field(pattern=r"^\d+$", description="the page's number")
    tagged: bool = Field(
        default=False, description="pull posts of others that mention the page; needs Page Public Content Access"
    )
    service: WebAddress = Field(default="https://graph.facebook.com", description="address of the API")
    web: WebAddress = Field(
        default="https://www.facebook.com", description="web address under which people read posts"
    )


class InstagramOptions(MetaOptions):
    """A professional account, by Instagram Login or, through the page it is linked to, by Facebook Login."""

    account_id: str = Field(pattern=r"^\d+$", description="the account's number")
    page_id: str = Field(
        default="",
        pattern=r"^\d*$",
        description="the linked page's number, with Facebook Login: messages go through it",
    )
    appsecret_proof: bool = Field(
        default=False, description="send a proof of the app's secret with each call (Facebook Login takes it)"
    )
    comment_length: int = Field(default=2200, ge=1, description="characters that fit in a comment")
    message_length: int = Field(default=500, ge=1, description="characters that fit in a message: 1,000 bytes")
    service: WebAddress = Field(
        default="https://graph.instagram.com", description="address of the API; Facebook Login: graph.facebook.com"
    )
    web: WebAddress = Field(
        default="https://www.instagram.com", description="web address under which people read posts"
    )
