"""A small VK on loopback: the API of one community, its Bots Long Poll, and the people who write there.

An independent reading of VKCOM/vk-api-schema (5.199) and dev.vk.com; it shares no code with the adapter. It keeps
the manners that matter to whoever connects: errors come as HTTP 200; a community's token may do little, an
administrator's more; an event is kept for a while and then lost, which Long Poll says in three ways; who deleted a
comment is told, who wrote it is not; a comment that is gone is not shown to who asks for it, and may be answered all
the same.

    with VkSimulator(1, "community-token", "user-token", contracts=folder_or_none) as vk:
        ann = vk.person("Ann", "Lee")
        vk.comment("wall", vk.post("New prices"), ann, "Too much!")
        …requests to vk.url…

With `contracts` (the folder of the machine-readable API) every request is held against it: unknown methods and
parameters, missing ones, wrong types and tokens that may not are refused, and kept in `violations`.

Misbehaviour is switched with `misbehave` and `behave`; `fail_with` makes a method answer an error, `cut_next_of`
loses the answer of a call after its work was done, `lose_events` makes Long Poll forget.
"""

from __future__ import annotations

from connector.testing.simulators.vk.server import VkSimulator

__all__ = ["VkSimulator"]
