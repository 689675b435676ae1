"""Files that people posted, sent along as multipart: Freshdesk takes no upload beforehand and no file with JSON.

Fetched through the door that reaches public addresses only. The one rule: a file never costs the mention. One that
cannot be fetched or does not fit any more comes back as missing, and the text gets a line with its link instead. All
files of one ticket or note count together: 20 MB, 15 MB on older plans.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector.errors import ConnectorError, Rejected
from connector.helpdesks.content import file_name
from connector.http import Download, Http
from connector.model import Attachment
from connector.multipart import FormFile
from connector.multipart import multipart as form

_MOST = 10


@dataclass(frozen=True, slots=True)
class File:
    """A fetched file with the name it gets."""

    name: str
    content: bytes
    type: str


class Files:
    """Downloads for one account. `limit` is in bytes, all files of a note together."""

    def __init__(self, http: Http, limit: int) -> None:
        self._http = http
        self._limit = limit

    def fetched(self, attachments: Sequence[Attachment]) -> tuple[list[File], list[Attachment]]:
        """The files, and the attachments that have to be linked instead."""
        files: list[File] = []
        missing: list[Attachment] = []
        room = self._limit
        for attachment in attachments:
            try:
                if len(files) >= _MOST or (attachment.size or 0) > room:
                    raise Rejected("too many or too large")
                file: Download = self._http.file(attachment, limit=room)
            except ConnectorError:
                missing.append(attachment)
                continue
            room -= len(file.content)
            files.append(File(file_name(attachment, file), file.content, file.type or "application/octet-stream"))
        return files, missing


def multipart(fields: Mapping[str, Any], files: Sequence[File]) -> tuple[bytes, str]:
    """A multipart/form-data body and its Content-Type. Lists and objects become `tags[]` and `custom_fields[x]`."""
    sent = [FormFile("attachments[]", file.name, file.content, file.type) for file in files]
    return form(_flat(fields), sent)


def _flat(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from _flat({f"{name}[{key}]": one for key, one in value.items()})
        elif isinstance(value, list | tuple):
            yield from ((f"{name}[]", _plain(one)) for one in value)
        elif value is not None:
            yield name, _plain(value)


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
