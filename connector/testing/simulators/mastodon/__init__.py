"""A small server of the fediverse on loopback, in memory: accounts, posts, notifications, media.

An independent reading of docs.joinmastodon.org and of what real servers were seen to answer; it shares no code with
the adapter. Its `flavour` decides how it differs from Mastodon:

    mastodon    numbers as ids; honours Idempotency-Key; 404 for a reply to a deleted post; X-RateLimit-* headers
    gotosocial  ULIDs; ignores the key; no /api/v1/statuses?id[]=; counts code points; no limit headers
    takahe      numbers beyond 2^53; ignores the key; takes a reply to a deleted post; 400 for a bad token; v1 only

    with MastodonSimulator() as server:
        brand = server.add_account("brand", token="tok")
        ann = server.add_account("ann@far.example", "Ann")
        server.post(ann, "@brand hello")          # a mention, for the name is known
        …requests to server.url…

Misbehaviour is switched with `misbehave` and `behave`; `lose_next_answer` does the next write and hangs up;
`hold`/`release` make a notification visible later than younger ones; `converting` keeps uploads unready.
"""

from __future__ import annotations

from connector.testing.simulators.mastodon.server import MastodonSimulator

__all__ = ["MastodonSimulator"]
