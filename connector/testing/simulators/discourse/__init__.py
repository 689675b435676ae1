"""A small Discourse forum on loopback, in memory: topics, private messages, the moderators' queue, uploads, webhooks.

An independent reading of the forum's OpenAPI description and of its own source (posts_controller.rb,
latest_posts_query.rb, new_post_manager.rb, emit_web_hook_event.rb); it shares no code with the adapter. It keeps the
manners that matter to whoever connects: latest posts newest first, fifty at a time, public and private apart and both
numbered in one row; an API post repeated within two minutes answers with the first; a post held for approval answers
`{"action": "enqueued"}`; a closed topic and a bad key both answer 403; a quick correction raises no version.

    with DiscourseSimulator() as forum:
        brand = forum.add_user("brand", key="secret-key")
        ann = forum.add_user("ann")
        topic = forum.begin(ann, "Where is my order?", "It is late, @brand")
        …requests to forum.url…

Misbehaviour is switched with `misbehave` and `behave`; `lose_next_answer` does the next write and hangs up;
`moderated` holds posts back until `approve` or `refuse`; `hide_next` makes a post visible later than younger ones
(`reveal`).
"""

from __future__ import annotations

from connector.testing.simulators.discourse.server import DiscourseSimulator

__all__ = ["DiscourseSimulator"]
