"""Odnoklassniki (OK.ru), over the Graph API for groups (https://apiok.ru/en/dev/graph_api): messages to a group.

It hides chats, their histories and the token in every address. Three rules must hold.

A message is told once and none is missed. What is read is each chat's own history, the chats with the newest events
first, a minute back each time; what was told is remembered by its `mid`. The webhook only makes it quicker: OK drops
one that failed for eight hours, does not tell it of our own messages, and gives nothing to catch up with. OK has a
long poll too (graph/me/updates), whose answers no document at hand shows; the history says the same and more.

A reply is posted once. OK has no key against doubles; what was in doubt is looked for in the chat's history: a
message of ours with these words that did not stand there when the request was frozen.

Nothing proves that a call of the webhook comes from OK: it is not signed. So the address we give OK carries a secret
(`?secret=`), and a call without it is refused.

Comments in a group's topics need rights that OK grants by letter, and methods that could not be proved: they are left
out.

    source   the Source itself         api     calls and refusals
    words    their JSON to our words   window  what its cursor remembers
"""

from __future__ import annotations

from connector.sources.ok.source import Ok, OkOptions

__all__ = ["Ok", "OkOptions"]
