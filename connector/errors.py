"""Errors, named by what to do next.

Whoever raises one says what is to be done about it, not where it happened; whoever catches one does exactly
that. The docstring of a class is its default sentence. No error ever holds a secret or a whole body: its text
is shown to admins, written into tickets and logged.

    Temporary     try again later                     RateLimited   wait, then go on; no attempt is counted
    AuthFailed    stop the account, tell a person     Rejected      give up, say why
    Closed        no answer is possible now           Unsupported   this account cannot do that at all
    Gone          the thing is no longer there        BadAnswer     the other side answered nonsense
    Uncertain     it may have happened: look first    ConfigError   every mistake at once, with its place
    BadHook       refuse the caller, store nothing
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


class ConnectorError(Exception):
    """Something went wrong."""

    def __init__(
        self, sentence: str = "", *, service: str = "", operation: str = "", status: int | None = None
    ) -> None:
        self.sentence = sentence or (type(self).__doc__ or "").strip()
        self.service = service
        self.operation = operation
        self.status = status
        super().__init__(self.sentence)

    def __str__(self) -> str:
        where = " ".join(word for word in (self.service, self.operation) if word)
        code = f" (HTTP {self.status})" if self.status is not None else ""
        return f"{where}: {self.sentence}{code}" if where else f"{self.sentence}{code}"


class Temporary(ConnectorError):
    """It did not happen, and may work later."""

    def __init__(
        self,
        sentence: str = "",
        *,
        wait: float | None = None,
        service: str = "",
        operation: str = "",
        status: int | None = None,
    ) -> None:
        super().__init__(sentence, service=service, operation=operation, status=status)
        self.wait = wait


Scope = Literal["account", "endpoint", "lane"]


class RateLimited(ConnectorError):
    """The other side asks us to slow down.

    `wait` is in seconds. `scope` says what has to wait: the whole account, calls like this one, or only this
    conversation (Zendesk's limit per ticket).
    """

    def __init__(
        self,
        sentence: str = "the other side asks us to slow down",
        *,
        wait: float,
        scope: Scope = "account",
        service: str = "",
        operation: str = "",
        status: int | None = None,
    ) -> None:
        super().__init__(sentence, service=service, operation=operation, status=status)
        self.wait = wait
        self.scope: Scope = scope


class AuthFailed(ConnectorError):
    """The credentials were not accepted."""


class Rejected(ConnectorError):
    """The other side refused it for good."""


class Unsupported(ConnectorError):
    """This account cannot do that."""


class Closed(ConnectorError):
    """No answer is possible here now."""


class Gone(ConnectorError):
    """It is no longer there."""


class BadAnswer(ConnectorError):
    """The other side answered something we cannot read."""


class Uncertain(ConnectorError):
    """It was sent and not answered, so it may have happened."""


class BadHook(ConnectorError):
    """The call was refused; nothing of it was stored."""

    def __init__(self, sentence: str, *, status: int) -> None:
        super().__init__(sentence, status=status)

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a file: its place (line and column count from 1), the path in it, a sentence with the remedy."""

    file: str
    line: int
    column: int
    path: str
    message: str
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        at = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return "  ".join(part for part in (at, self.severity, self.path, self.message) if part)


class ConfigError(ConnectorError):
    """The configuration has mistakes."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))

    def __str__(self) -> str:
        return self.sentence
