"""Files of an agent that go along with a reply: uploaded first, and waited for while the server converts them.

docs.joinmastodon.org/methods/media: POST /api/v2/media answers 200, or 202 while a video is converted; GET
/api/v1/media/:id then answers 206 until it is done. A file nobody posted is dropped by the server after a day, so an
upload may be repeated freely. The one rule: a post does not leave before its files are ready. We do not stand and
wait: the reply comes again in a few seconds and finds its uploads here.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from connector.errors import BadAnswer, Gone, Rejected, Temporary
from connector.http import Answer
from connector.model import Attachment, ReplyDraft
from connector.multipart import FormFile, multipart
from connector.sources.mastodon.server import Limits, Server

_NOT_READY = (202, 206)
_WAIT = 5.0
_MOST_KEPT = 200

Slot = tuple[str, str, str]


class Media:
    """Uploads of one account."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._uploaded: dict[Slot, str] = {}

    def ids(self, draft: ReplyDraft) -> list[str]:
        """The ids of a reply's files, all ready. Temporary: one is still converted. Rejected: one cannot go along."""
        if not draft.attachments:
            return []
        limits = self._server.limits()
        if len(draft.attachments) > limits.files:
            raise Rejected(
                f"it has {len(draft.attachments)} files; {limits.files} fit in one post here: link to the others",
                service=self._server.name,
                operation="upload",
            )
        slots: list[Slot] = []
        for attachment in draft.attachments:
            slot = (draft.mention.external_id, draft.text, attachment.url)
            slots.append(slot)
            if slot not in self._uploaded:
                self._uploaded[slot] = self._upload(attachment, limits)
        waiting = [slot for slot in slots if not self._is_ready(slot)]
        if waiting:
            raise Temporary("a file is still converted by the server", wait=_WAIT, service=self._server.name)
        ids = [self._uploaded.pop(slot) for slot in slots]
        while len(self._uploaded) > _MOST_KEPT:
            self._uploaded.pop(next(iter(self._uploaded)))
        return ids

    def _upload(self, attachment: Attachment, limits: Limits) -> str:
        file = self._server.http.download(attachment.url, limit=max(limits.image_bytes, limits.video_bytes))
        name = attachment.name or unquote(urlsplit(attachment.url).path.rpartition("/")[2]) or "file"
        # what the helpdesk said when it was posted is surer than what its store says when it is fetched
        kind = attachment.type or file.type or "application/octet-stream"
        if limits.types and kind not in limits.types:
            raise self._refused(f'the file "{name}" is {kind}, which this server does not take: link to it instead')
        most = limits.image_bytes if kind.startswith("image/") else limits.video_bytes
        if len(file.content) > most:
            raise self._refused(f'the file "{name}" is larger than the {most // 1_048_576} MB this server takes')
        body, content_type = multipart([], [FormFile("file", name, file.content, kind)])
        answer = self._server.call(
            "POST",
            "/api/v2/media",
            "upload",
            body=body,
            headers={"Content-Type": content_type},
            read=True,  # an upload nobody posts is dropped: repeating it harms nothing
        )
        return str(self._media(answer)["id"])

    def _is_ready(self, slot: Slot) -> bool:
        try:
            answer = self._server.call("GET", f"/api/v1/media/{self._uploaded[slot]}", "media")
        except Gone:
            del self._uploaded[slot]
            raise Temporary("the server lost an upload", service=self._server.name, operation="upload") from None
        except Rejected:
            del self._uploaded[slot]
            raise
        return answer.status not in _NOT_READY

    def _media(self, answer: Answer) -> dict[str, Any]:
        told = answer.json()
        if not isinstance(told, dict) or not told.get("id"):
            raise BadAnswer("the upload gave no id", service=self._server.name, operation="upload")
        return told

    def _refused(self, sentence: str) -> Rejected:
        return Rejected(sentence, service=self._server.name, operation="upload")
