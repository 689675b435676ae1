"""X (Twitter), API v2 (https://docs.x.com/x-api, read in the state of August 2026): mentions, quotes, messages.

It hides signatures, counting and money. Four rules must hold.

Every call costs. What a day may cost stands in the configuration: posts read and posts written, counted per UTC day
as X bills them; when a day's budget is spent, the calls wait for midnight UTC, and nothing is lost meanwhile. The
count is carried in the cursor, so that a restart does not begin it anew; each replica counts what it writes itself.
The last look before a reply is counted but never refused.

X takes a reply through the API only if the author of the post mentioned or quoted us (self-serve plans, since
February 2026). That is known when the mention comes in, so its card says it before anybody writes; what X still
refuses ends as Closed, with the link to answer by hand. Whether a handle that X put before a reply by itself counts
as a mention nobody has confirmed: such a post is answered, and the card warns.

A reply is posted once. X has no idempotency key, so what was in doubt is looked for among our own posts since then:
one that answers the same post in the same words is it. X refuses the same words twice, too.

An edited post has a new id, and the ids of all its versions; the first of them is the mention's id for ever. Nobody
tells us of edits and deletions, so mentions are looked at again for a day.

Credentials are OAuth 1.0a: they do not expire, so nothing has to be kept and several processes can share them (the
refresh token of OAuth 2.0 works once, and would have to be written down before the next call).

What is not confirmed: the names of fields (the guides and the examples of hooks say `tweet.fields`,
`referenced_tweets`, `edit_history_tweet_ids`; the OpenAPI description 2.167 says `post.fields`, `referenced_posts`,
`edit_history_post_ids`): we ask with the guides' names and read both. How refusals of a reply are worded.

    source    the Source itself           account   signed calls, limits, refusals, money
    posting   what goes out               words     their JSON to our words; their counting
    memory    what its cursor remembers   hooks     the Activity API's calls
"""

from __future__ import annotations

from connector.sources.x.options import XOptions
from connector.sources.x.source import X

__all__ = ["X", "XOptions"]
