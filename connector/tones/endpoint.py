"""A tone service of your own, asked over HTTP for each text.

The call is a POST of `{"text", "language"}`; the answer has the keys that `connector tone` prints: `label` (one of
the five steps or unknown), and maybe `score` (-1 to 1), `confidence` (0 to 1) and `evidence` (words).

It must not hold up triage: a service that fails is left alone for a while, and meanwhile, as `ToneDetector` promises,
our own model answers in its place.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from connector.errors import BadAnswer, ConnectorError, Temporary
from connector.http import Http
from connector.log import remember_secret
from connector.model import Tone, ToneLabel
from connector.triage.facts import Said

_MOST_TEXT = 8_000
_CONNECT = 0.3


class EndpointOptions(BaseModel):
    """What may stand under `options`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(pattern=r"^https?://", description="address of the service")
    token: SecretStr | None = Field(default=None, description="bearer token, as !env NAME; none: no token is sent")
    timeout: float = Field(default=0.8, gt=0, le=10, description="seconds to wait for an answer")
    rest: float = Field(default=60.0, ge=0, description="seconds in which it is not asked again after it failed")


class _Judged(BaseModel):
    """The service's answer; what else it says is not read."""

    label: ToneLabel
    score: float = Field(default=0.0, ge=-1, le=1)
    confidence: float = Field(default=0.0, ge=0, le=1)
    evidence: tuple[str, ...] = Field(default=(), max_length=50)


class Endpoint:
    """The service as a detector. Whatever goes wrong is raised, for the caller to fall back on our own model."""

    def __init__(self, options: Mapping[str, Any], *, clock: Callable[[], float] = time.monotonic) -> None:
        try:
            self.options = EndpointOptions.model_validate(dict(options))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise ConnectorError(f"its option {place}: {first['msg']}") from None
        self._headers: dict[str, str] = {}
        if self.options.token is not None:
            token = self.options.token.get_secret_value()
            remember_secret(token)
            self._headers["Authorization"] = f"Bearer {token}"
        self._http = Http("tone", timeout=(min(_CONNECT, self.options.timeout), self.options.timeout))
        self._clock = clock
        self._rests_until = 0.0
        self._lock = threading.Lock()

    def detect(self, said: Said, language: str) -> Tone:
        """What the service says. ConnectorError when it cannot be asked now, or says what nobody can read."""
        if self._clock() < self._rests_until:
            raise Temporary("the tone service failed a moment ago", service="tone")
        try:
            answer = self._http.call(
                "POST",
                self.options.url,
                operation="tone",
                json={"text": said.raw[:_MOST_TEXT], "language": language},
                headers=self._headers,
            )
            judged = _Judged.model_validate_json(answer.body)
        except ConnectorError:
            self._rest()
            raise
        except ValidationError:
            self._rest()
            raise BadAnswer("the tone service's answer cannot be read", service="tone") from None
        return Tone(judged.label, judged.score, judged.confidence, judged.evidence, by="endpoint")

    def _rest(self) -> None:
        with self._lock:
            self._rests_until = self._clock() + self.options.rest
