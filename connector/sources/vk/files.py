"""Pictures of agents, uploaded for a comment or message: dev.vk.com/ru/api/upload/overview.

Ask for an upload server, post the file there as `photo`, save what it answers, name the result in the post. All of it
may be repeated: an upload that is not used is shown nowhere. The one rule: a file never costs the answer. What cannot
be uploaded (documents; a picture below a post without an administrator's token) comes back as missing, and the text
gets a line with its link. The names of the fields are as others use them; the schema does not have them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector.errors import AuthFailed, ConnectorError, RateLimited, Rejected
from connector.http import Http
from connector.model import Attachment
from connector.sources.vk.api import Api

_PICTURES = frozenset({"image/jpeg", "image/png", "image/gif"})
_LIMIT = 50 * 1024 * 1024
_MOST = 10


@dataclass(frozen=True, slots=True)
class Uploads:
    """Uploads of one community."""

    api: Api
    http: Http
    group: int

    def upload(self, attachments: Sequence[Attachment], peer: int) -> tuple[list[str], list[Attachment]]:
        """The names of what was uploaded, and what has to be linked. `peer`: for a message to them; 0: a comment."""
        names: list[str] = []
        missing: list[Attachment] = []
        for attachment in attachments:
            try:
                if len(names) >= _MOST or attachment.type not in _PICTURES or not (peer or self.api.has_user):
                    raise Rejected("it cannot be uploaded")
                names.append(self._picture(attachment, peer))
            except (RateLimited, AuthFailed):
                raise
            except ConnectorError:
                missing.append(attachment)
        return names, missing

    def _picture(self, attachment: Attachment, peer: int) -> str:
        file = self.http.file(attachment, limit=_LIMIT)
        if peer:
            server = self.api.read("photos.getMessagesUploadServer", {"peer_id": peer})
        else:
            server = self.api.read("photos.getWallUploadServer", {"group_id": self.group}, user=True)
        told = self.api.upload(str(_field(server, "upload_url")), attachment.name or "photo.jpg", file)
        params: dict[str, Any] = {word: _field(told, word) for word in ("photo", "server", "hash")}
        if peer:
            saved = self.api.read("photos.saveMessagesPhoto", params)
        else:
            saved = self.api.read("photos.saveWallPhoto", params | {"group_id": self.group}, user=True)
        photo = saved[0] if isinstance(saved, list) and saved else None
        key = photo.get("access_key") if isinstance(photo, Mapping) else None
        return f"photo{_field(photo, 'owner_id')}_{_field(photo, 'id')}" + (f"_{key}" if key else "")


def with_links(text: str, missing: Sequence[Attachment]) -> str:
    """The text with a line for each file that is linked."""
    links = "\n".join(f"{one.name}: {one.url}" if one.name else one.url for one in missing)
    return "\n\n".join(part for part in (text, links) if part)


def _field(told: Any, word: str) -> Any:
    if not isinstance(told, Mapping) or told.get(word) in (None, ""):
        raise Rejected(f"the upload gave no {word}")
    return told[word]
