"""The source itself: options, the webhook, one question to the tool. The package tells its story."""

from __future__ import annotations

import base64
import hmac
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import urlsplit, urlunsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from connector import fieldmap, log
from connector.adapter import Hook
from connector.errors import BadAnswer, BadHook, ConfigError
from connector.fieldmap import FieldMap, Pull
from connector.http import Answer, Http
from connector.mentionjson import read_mention
from connector.model import Cursor, Identity, Mention, Page
from connector.sources.base import Source, SourceCapabilities, SourceOptions
from connector.sources.listening.cursors import Row, by_sequence, by_window


class ListeningOptions(SourceOptions):
    """A preset or a map; `token` where the tool is asked, `hook_password` where it calls."""

    preset: str = Field(
        default="", description=f"the tool: {', '.join(fieldmap.presets())}; without one `map` is the whole map"
    )
    map: Mapping[str, Any] = Field(
        default_factory=dict, description="keys of a field map of yours, laid over the preset's"
    )
    token: SecretStr | None = Field(default=None, description="the tool's API key; without it nothing is asked for")
    account: Mapping[str, str] = Field(
        default_factory=dict, description="what the tool's address needs: its topic, alert, project …"
    )
    hook_password: SecretStr | None = Field(
        default=None, min_length=8, description="what the tool's webhook sends: HTTP Basic password, or bearer token"
    )
    base_url: str = Field(default="", description="another address of the tool's API, without its path")
    platform: str = Field(default="web", description="network to note where neither the tool nor the address tells")
    own_authors: tuple[str, ...] = Field(
        default=(), description="ids, names or profile addresses of ours: what they say becomes no ticket"
    )
    look_back_hours: float = Field(
        default=72.0, gt=0, le=720, description="of a tool that knows spans of time only: how far back to look again"
    )
    poll: float = Field(default=300.0, ge=0.05, description="seconds between two pulls")

    @field_validator("account", mode="before")
    @classmethod
    def _numbers_are_text(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: str(one) if isinstance(one, int) else one for key, one in value.items()}
        return value

    @field_validator("base_url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            raise ValueError("has to begin with https://")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _can_listen(self) -> ListeningOptions:
        chart = self.chart()
        if self.token is None and self.hook_password is None:
            raise ValueError("needs `token` to ask the tool, or `hook_password` so that only the tool can call us")
        if self.token is not None:
            if chart.pull is None:
                raise ValueError("`token` is of no use: this map has no `pull`; take calls with `hook_password`")
            lacking = [name for name in chart.pull.needs if not self.account.get(name)]
            if lacking:
                raise ValueError(f"`account` lacks {', '.join(lacking)}")
        return self

    def chart(self) -> FieldMap:
        """The field map: the preset's with ours laid over it. ValueError when it is none."""
        if not self.preset and not self.map:
            raise ValueError(f"needs `preset` ({', '.join(fieldmap.presets())}) or a `map`")
        if self.preset.endswith((".yaml", ".yml")):
            raise ValueError("`preset` is the name of a tool; write a map of yours under `map`")
        try:
            return fieldmap.load(self.preset, self.map)
        except ConfigError as error:
            raise ValueError(error.problems[0].message) from None


class Listening(Source):
    """One topic, alert or project of one tool."""

    type: ClassVar[str] = "listening"
    about: ClassVar[str] = (
        "YouScan, Brand Analytics, Brand24, Mention, Brandwatch, Awario and others; answers where we have an account"
    )
    unconfirmed: ClassVar[tuple[str, ...]] = (
        "Brand Analytics: the key around the list, the fields of an author",
        "Brand24: where the list is, and its paging",
        "Awario: the fields and the size of a page",
        "Mention: the fields of an author",
        "Brandwatch: the parameter of the cursor, and `fullText`",
        "YouScan: whether it keeps the id of a post on X",
    )
    Options = ListeningOptions
    capabilities: ClassVar[SourceCapabilities] = SourceCapabilities(
        pull=True, push=True, edits=True, attachments_in=True
    )

    def __init__(
        self, name: str, options: ListeningOptions, http: Http, *, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(name, options, http)
        self.options: ListeningOptions = options
        self.chart = options.chart()
        self._clock = clock
        self._own = {one.strip().removeprefix("@").casefold() for one in options.own_authors}
        for secret in (options.token, options.hook_password):
            if secret is not None:
                log.remember_secret(secret.get_secret_value())
        http.explain = explain

    def check(self) -> Identity:
        """One question, so that a wrong key or topic shows; none is asked where the tool only calls."""
        notes = []
        if self.options.hook_password is not None:
            notes.append(f"takes calls at /hooks/{self.name}")
        if self.options.token is not None:
            self._rows(self._ask({self._pull.size.param: "1", **self._bounds_of_today()}))
            notes.append("can be asked")
        where = " ".join(self.options.account.values())
        return Identity(
            self.name, f"{self.options.preset or 'a tool'} {where}".strip(), notes=(*notes, "cannot be answered")
        )

    def fetch(self, cursor: Cursor | None, limit: int) -> Page[Mention]:
        """What the tool found since. BadAnswer when its answer holds no list; empty where only the tool calls."""
        if self.options.token is None:
            return Page((), cursor or Cursor("{}"))
        pull = self._pull
        if pull.sequence is not None:
            return by_sequence(pull, cursor, limit, self._ask, self._rows, self._row, self.name)
        look_back, now = self.options.look_back_hours * 3600, self._clock()
        return by_window(pull, cursor, limit, look_back, now, self._ask, self._rows, self._row, self.name)

    def read_hook(self, hook: Hook) -> Sequence[Mention]:
        """The mentions of one call. BadHook 401: not authentic; 400, 422: not readable."""
        self._authenticate(hook)
        try:
            body = json.loads(hook.body)
        except (ValueError, RecursionError):
            raise BadHook("the body is not JSON", status=400) from None
        try:
            rows = self.chart.rows(body)
        except ValueError as error:
            raise BadHook(str(error), status=422) from None
        kept = [row for row in rows if not self.chart.left_out(row)]
        return [self._mention(row, hook.received_at) for row in kept]

    # steps

    @property
    def _pull(self) -> Pull:
        assert self.chart.pull is not None, "the options demand it beside a token"
        return self.chart.pull

    def _authenticate(self, hook: Hook) -> None:
        password = self.options.hook_password
        if password is None:
            raise BadHook("this source takes no calls: set `hook_password`", status=401)
        scheme, _, given = hook.headers.get("authorization", "").partition(" ")
        sent = given.strip()
        if scheme.lower() == "basic":
            try:
                sent = base64.b64decode(sent, validate=True).decode().partition(":")[2]
            except ValueError:
                sent = ""
        elif scheme.lower() != "bearer":
            sent = ""
        if not hmac.compare_digest(sent.encode(), password.get_secret_value().encode()):
            raise BadHook(
                "the call is not authenticated: send hook_password as the password of HTTP Basic, or as bearer token",
                status=401,
            )

    def _ask(self, params: Mapping[str, str]) -> Any:
        pull, operation = self._pull, "mentions"
        answer = self.http.call(
            "GET",
            self._address(),
            operation=operation,
            params=[*self._fixed(set(params)), *params.items()],
            headers={name: self._filled(value) for name, value in pull.headers.items()},
        )
        try:
            return answer.json()
        except BadAnswer:
            raise BadAnswer("the tool's answer is not JSON", service=self.name, operation=operation) from None

    def _fixed(self, but: set[str]) -> list[tuple[str, str]]:
        """The map's own parameters, those that a question sets itself left out."""
        found: list[tuple[str, str]] = []
        for name, value in self._pull.params.items():
            if name not in but:
                found += [(name, self._filled(one)) for one in ((value,) if isinstance(value, str) else value)]
        return found

    def _address(self) -> str:
        url = self._filled(self._pull.url)
        if not self.options.base_url:
            return url
        there, base = urlsplit(url), urlsplit(self.options.base_url)
        return urlunsplit((base.scheme, base.netloc, base.path + there.path, there.query, ""))

    def _filled(self, text: str) -> str:
        token = self.options.token
        known = {**self.options.account, "token": token.get_secret_value() if token is not None else ""}
        return re.sub(r"\{(\w+)\}", lambda found: known.get(found[1], found[0]), text)

    def _bounds_of_today(self) -> dict[str, str]:
        window = self._pull.window
        return {} if window is None else window.bounds(self._clock() - 3600, self._clock())

    def _rows(self, body: Any) -> list[Mapping[str, Any]]:
        try:
            return self.chart.rows(body)
        except ValueError as error:
            raise BadAnswer(str(error), service=self.name, operation="mentions") from None

    def _row(self, row: Mapping[str, Any]) -> Row | None:
        """A row that is told; None for one that `skip` leaves out, or that is no mention."""
        if self.chart.left_out(row):
            return None
        try:
            mention = self._mention(row, self._clock())
        except BadHook as refusal:
            log.get(account=self.name).warning("a row of the tool is no mention", why=refusal.sentence)
            return None
        return Row(mention, row)

    def _mention(self, row: Mapping[str, Any], received_at: float) -> Mention:
        made, platform = self.chart.mention(row)
        author = made["author"]
        words = (str(author.get(word) or "").removeprefix("@").casefold() for word in ("id", "url", "handle", "name"))
        if self._own and any(word in self._own for word in words if word):
            made["own"] = True
        return read_mention(
            made, source=self.name, platform=platform or self.options.platform, received_at=received_at
        )


def explain(answer: Answer) -> str:
    """One sentence from a tool's refusal: the first of the words tools use for it, else the status."""
    try:
        told = json.loads(answer.body)
    except (ValueError, RecursionError):
        told = None
    if isinstance(told, dict):
        for word in ("message", "error_description", "error", "errorMessage", "detail"):
            if isinstance(told.get(word), str) and told[word].strip():
                return f"the tool says: {' '.join(told[word].split())[:300]}"
    return f"the tool answered HTTP {answer.status}"
