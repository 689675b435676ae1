"""Facebook Pages and Instagram professional accounts, over Meta's Graph API (https://developers.facebook.com/docs,
version 26.0): two sources, `facebook` and `instagram`, on one client.

It hides tokens, proofs, usage and windows. Four rules must hold.

The webhook is the ear, the pull its memory. Meta sends each change for up to a day and a half, unordered and
sometimes twice; the pull looks through the newest posts and conversations for what never came. Both give the same
mention the same id and version, so the store keeps one.

A reply is posted once. Meta takes no key, so what was in doubt is looked for where it would stand: ours, the same
words, since then. Meta itself refuses the same words twice in a row (506).

A message may be answered for 24 hours after the person last wrote, or seven days where the app may send as a human
agent. A comment may be answered privately once, within seven days. What is known of that stands on the card; what is
over ends as Closed, with the link.

Nothing of a call is read before its signature is known to fit, and what the page itself wrote comes back as our own.

What is not confirmed by a page of Meta's we could read: lengths (8,000 and 2,200 for comments, 2,000 characters and
1,000 bytes for messages: they can be set), subcodes of errors, what a `hide` or `remove` tells besides ids, whether
`appsecret_proof` is taken by graph.instagram.com. Ratings cannot be asked for since version 22 (error 12); they come
by the webhook only, and their shape there is not confirmed.

    source     what both sources share      facebook, instagram   the two
    graph      calls, usage, refusals       hooks                 challenge, signature, entries
    posting    what goes out                words                 their JSON to our words
    memory     what the cursor remembers    options               what can be set
"""

from __future__ import annotations

from connector.sources.meta.facebook import Facebook
from connector.sources.meta.instagram import Instagram
from connector.sources.meta.options import FacebookOptions, InstagramOptions

__all__ = ["Facebook", "FacebookOptions", "Instagram", "InstagramOptions"]
