"""Bluesky, over the AT Protocol (https://docs.bsky.app, and the lexicons in npm @atproto/api): mentions and answers.

It hides sessions, facets and record keys. Two rules must hold.

A mention is told once and none is missed. Notifications are ordered by a time the *author* chose, so one written with
an old date appears far below the newest: "stop at the first one we know" loses it (seen on the real server). So we
page back over a window of `overlap_hours`, remember in the cursor what we told (short hashes of its addresses), and
look through the whole window every ten minutes, between them only as far as something is new.

A reply is posted once. Its record key is made from our key, and it is written with putRecord, which answers the same
address and cid when the same record is put again (seen; createRecord answers 500 there). The key is a TID, as
servers want it: the second in which the mention was written, plus 32 bits of sha256(key, part) as microseconds, and
10 more bits of it as clock id. What was frozen in the Request never changes, so the record does not either.

Ids are at:// addresses: of mentions, of threads (their root) and of receipts.

    source   the Source itself           window   what its cursor remembers
    session  log-in, calls, refusals     words    their JSON to our words, and back
"""

from __future__ import annotations

from connector.sources.bluesky.source import Bluesky, BlueskyOptions

__all__ = ["Bluesky", "BlueskyOptions"]
