"""Files that people posted, attached to a comment.

Fetched through the door that reaches public addresses only, then uploaded; the token goes into the comment. The
one rule: a file never costs the mention. One that cannot be fetched, is too large or is refused comes back as
missing, and the comment gets a line with its link instead.

developer.zendesk.com/api-reference/ticketing/tickets/ticket-attachments (a token lives 60 minutes; the recorded
answer says three days and comes as text/plain).
"""

from __future__ import annotations

from collections.abc import Sequence

from connector.errors import AuthFailed, ConnectorError, RateLimited, Rejected
from connector.helpdesks.content import file_name
from connector.helpdesks.zendesk.account import Account
from connector.model import Attachment

_MOST = 10


class Files:
    """Uploads of one account. `limit` is in bytes."""

    def __init__(self, account: Account, limit: int) -> None:
        self._account = account
        self._limit = limit

    def upload(self, attachments: Sequence[Attachment]) -> tuple[list[str], list[Attachment]]:
        """Upload tokens, and the attachments that have to be linked instead. Only a rate limit or a lost log-in stop
        it, since those would stop the comment too."""
        tokens: list[str] = []
        missing: list[Attachment] = []
        for attachment in attachments:
            try:
                if len(tokens) >= _MOST:
                    raise Rejected("too many files for one comment")
                tokens.append(self._token(attachment))
            except (RateLimited, AuthFailed):
                raise
            except ConnectorError:
                missing.append(attachment)
        return tokens, missing

    def _token(self, attachment: Attachment) -> str:
        if attachment.size is not None and attachment.size > self._limit:
            raise Rejected("the file is too large")
        file = self._account.http.file(attachment, limit=self._limit)
        operation = "upload file"
        answer = self._account.call(
            "POST",
            "/uploads",
            operation=operation,
            params={"filename": file_name(attachment, file)},
            body=file.content,
            headers={"Content-Type": file.type or "application/octet-stream"},
            read=True,  # a second upload only leaves an unused file behind, which Zendesk drops
        )
        upload = self._account.object_in(answer, operation).get("upload")
        token = upload.get("token") if isinstance(upload, dict) else None
        if not isinstance(token, str) or not token:
            raise Rejected("the upload gave no token")
        return token
