"""Discourse forums (https://docs.discourse.org, and its own source, which is open): posts and private messages.

It hides streams of posts, signatures, the queue of the moderators and two ways of answering in private. Four rules
must hold.

Only what is for us comes in: what names us or a group of ours, what answers us, what the same person adds in a topic,
private messages to us, and everything in the topics and categories that are listed.

A post is told once and none is missed. Posts are read by their ids, upward from a bookmark that stays a minute behind
the newest, for two posts may become visible in another order than that of their ids; what was read above it is
remembered. A signed call only makes it sooner: it brings the same ids.

Accepted is not published. An answer that the forum holds for its moderators is in doubt until it stands in the topic:
the agent is told, and it is looked for in the topic and in our queue until it is in neither.

Private messages of others are none of our business. An administrator's key would read everybody's: then private
messages are not read at all, and the check says so. A webhook carries everybody's too: there they are passed over.

Ids are the forum's, as text: of posts (mentions and receipts) and topics (threads).

    source   the Source itself         window   what its cursor remembers
    forum    calls, refusals           words    their JSON to our words, signatures
"""

from __future__ import annotations

from connector.sources.discourse.source import Discourse, DiscourseOptions

__all__ = ["Discourse", "DiscourseOptions"]
