"""Mastodon's client API (https://docs.joinmastodon.org), which GoToSocial, Takahē and the Pleroma family have too.

It hides tokens, paging and who may see what. Three rules must hold.

A mention is told once and none is missed. Notifications are read forward with `min_id`; ids are opaque (ULIDs, or
numbers beyond 2^53). Two of them may become visible in another order than that of their ids, so the bookmark stays a
minute behind the newest and what was told above it is remembered by id.

A reply is posted once. `Idempotency-Key` goes with every post, but GoToSocial and Takahē were seen to ignore it, and
Mastodon forgets it after an hour; so nothing relies on it: before a second try we look for our own post below the one
it answers, among those that did not stand there when the request was frozen, by its words.

An answer is never more public than what it answers: it takes over the post's visibility, and to a private mention
(`direct`) it is one as well. It begins with @acct of the person, without which a private one would reach nobody.

Ids are those of our own server: of mentions, of threads (their first post) and of receipts. An author's is the full
address, name@server, which other servers know too.

    source   the Source itself             window   what its cursor remembers
    server   calls, refusals, limits       words    their JSON to our words
    media    files that go along
"""

from __future__ import annotations

from connector.sources.mastodon.source import Mastodon, MastodonOptions

__all__ = ["Mastodon", "MastodonOptions"]
