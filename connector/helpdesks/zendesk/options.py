"""The keys of a Zendesk account in config.yaml."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator, model_validator

from connector.helpdesks.base import HelpdeskOptions, plain_address


class ZendeskOptions(HelpdeskOptions):
    """The keys of a Zendesk account in config.yaml."""

    base_url: str = Field(description="the account's address, https://acme.zendesk.com")
    email: str = Field(default="", description="the agent's or admin's e-mail address, together with api_token")
    api_token: SecretStr | None = Field(
        default=None, description="an API token (Admin Center, Apps and integrations)"
    )
    oauth_token: SecretStr | None = Field(default=None, description="instead of email and api_token: an access token")
    webhook_secret: SecretStr | None = Field(
        default=None, description="the signing secret of the webhook; without it hooks are refused"
    )
    webhook_window: float = Field(
        default=300.0, gt=0, description="seconds a hook's signature may be away from now, in either direction"
    )
    attachment_limit_mb: float = Field(
        default=20.0, gt=0, le=50, description="a larger file is not attached but linked"
    )
    exports_per_minute: int = Field(
        default=10, ge=1, description="looks for changed tickets a minute: 10, or 30 with the High Volume add-on"
    )

    @field_validator("base_url")
    @classmethod
    def _address(cls, value: str) -> str:
        return plain_address(value, "https://acme.zendesk.com")

    @model_validator(mode="after")
    def _one_login(self) -> ZendeskOptions:
        token = self.api_token is not None and bool(self.api_token.get_secret_value())
        oauth = self.oauth_token is not None and bool(self.oauth_token.get_secret_value())
        if oauth and (token or self.email):
            raise ValueError("give either email and api_token, or oauth_token, not both")
        if not oauth and not (token and self.email):
            raise ValueError("needs email and api_token, or oauth_token")
        return self
