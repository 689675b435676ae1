"""VK (ВКонтакте): what is said to a community: below its posts, topics, photos, videos and goods, and in messages.

Source of all facts: the machine-readable API of VKCOM/vk-api-schema (5.199) and dev.vk.com; what neither says is
marked as not confirmed where it stands, and in docs/sources/vk.md.

It hides two ways to hear (Bots Long Poll, which needs no open port, and the Callback API), two tokens, and errors
that come as HTTP 200. Two rules must hold.

A mention is told once and none is missed. Long Poll's `ts` is the cursor; where VK says that events were lost (failed
1 and 3), and after a stop of the callback, the comments and messages since then are read again, a few calls a pull.
What the community's token may not read needs an administrator's: without one only messages can be made good.

A reply is posted at most once. `guid` and `random_id` go with every try, since VK calls them protection against
doubles; but people report that guid does not keep its promise (VKCOM/vk-php-sdk#116), so what was in doubt is looked
up first: a message by its random_id, a comment by its words and place. Where that cannot be read, a person looks.

Ids: `wall-1_2_3` (owner, post, comment), likewise topic, photo, video and market; `wall-1_2` a post; `message5_7`
(peer, its number in the conversation). Threads are the same without their last number; receipts have the form of
mentions, but `sent5_70` (peer, message id) for messages.

    source    the Source itself               gap     reading again what was missed
    answers   posting, and looking for it     words   their JSON to our words
    api       calls, two tokens, refusals     files   pictures of agents
"""

from __future__ import annotations

from connector.sources.vk.source import Vk, VkOptions

__all__ = ["Vk", "VkOptions"]
