"""What both wings of adapters have in common.

A platform to be answered on and a helpdesk to be written to are both an `Outlet`: the engine knows nothing else
about a side effect. Three methods, in this order:

    prepare(draft)      everything that may be repeated freely (requester, uploads, parent look-up); gives the
                        Request whose body is stored *before* it is sent and never changes again
    send(request, key)  exactly one side effect. Raises Uncertain when it may have happened
    find(request, key)  did it happen? Every receipt of that effect, oldest first; empty when there is none

Constructors do no network. Everything an adapter needs comes through its options and the `Http` door it is given.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from connector.http import Http
from connector.model import Identity, Key, Receipt, Request

DraftT = TypeVar("DraftT")


class AccountOptions(BaseModel):
    """The keys that every source and helpdesk takes in config.yaml; adapters add their own."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    type: str = Field(description="which adapter: see `connector schema config`")
    requests_per_minute: float | None = Field(
        default=None, gt=0, description="calls we may make in a minute, all replicas together (default: as told)"
    )
    allow_private_addresses: bool = Field(
        default=False, description="let downloads reach private and loopback addresses (tests only)"
    )


@dataclass(frozen=True, slots=True)
class Hook:
    """An incoming call: header names in lower case, the raw body, and when it came (Unix seconds). `query` is what
    stands behind the address, for platforms that can prove themselves in no other way."""

    headers: Mapping[str, str]
    body: bytes
    received_at: float
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChallengeAnswer:
    """What a platform is answered when it asks, with a GET of the hook's address, whether that address is ours."""

    body: str
    type: str = "text/plain"


class Outlet(ABC, Generic[DraftT]):
    """Something we write to, once."""

    type: ClassVar[str]

    def __init__(self, name: str, http: Http) -> None:
        self.name = name
        self.http = http

    @abstractmethod
    def check(self) -> Identity:
        """Who we are there; AuthFailed when the credentials are not really ours. Called at start and by doctors."""

    @abstractmethod
    def prepare(self, draft: DraftT) -> Request:
        """Make ready what `send` needs and freeze it. Called before the intent is stored; may be called again."""

    @abstractmethod
    def send(self, request: Request, key: Key) -> Receipt:
        """Do it. Called once per intent; Uncertain means it may have happened."""

    @abstractmethod
    def find(self, request: Request, key: Key) -> tuple[Receipt, ...]:
        """Look whether it happened; called before anything in doubt is sent again. Unsupported: cannot look."""

    def close(self) -> None:
        """Let go of connections; called once, when the daemon stops or the account is reloaded."""
        self.http.close()
