"""The keys of a Freshdesk account in config.yaml."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from connector.helpdesks.base import HelpdeskOptions, plain_address


class FreshdeskOptions(HelpdeskOptions):
    """The keys of a Freshdesk account in config.yaml."""

    base_url: str = Field(description="the account's own address, https://acme.freshdesk.com")
    api_key: SecretStr = Field(description="an agent's or admin's API key (profile settings, View API key)")
    webhook_secret: SecretStr | None = Field(
        default=None, description="what the automation rule's webhook sends in a header; without it hooks are refused"
    )
    webhook_header: str = Field(
        default="X-Connector-Secret", pattern=r"^[A-Za-z0-9-]{1,64}$", description="the header it sends it in"
    )
    key_in: Literal["tag", "field"] = Field(
        default="tag", description="where a ticket carries our id: a tag, or a custom field (key_field)"
    )
    key_field: str = Field(default="", description="with key_in: field, a text field's label or name (cf_…)")
    product: str = Field(default="", description="product of tickets for which no rule sets a brand; name or id")
    source: int | None = Field(
        default=None, ge=1, le=999, description="number of the ticket's source; default: Freshdesk's own, Portal"
    )
    email_config: int | None = Field(
        default=None, ge=1, description="id of the support address tickets belong to; default: none"
    )
    attachment_limit_mb: float = Field(
        default=15.0, gt=0, le=20, description="files of one message together; what does not fit is linked"
    )

    @field_validator("base_url")
    @classmethod
    def _address(cls, value: str) -> str:
        return plain_address(value, "https://acme.freshdesk.com")

    @field_validator("api_key")
    @classmethod
    def _given(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().strip():
            raise ValueError("is empty; the key stands in the agent's profile settings at Freshdesk")
        return value

    @model_validator(mode="after")
    def _one_place(self) -> FreshdeskOptions:
        if self.key_in == "field" and not self.key_field.strip():
            raise ValueError("key_in: field needs key_field, the label or name of a text field")
        if self.key_in == "tag" and self.key_field.strip():
            raise ValueError("key_field goes with key_in: field")
        return self
