"""WordPress comments over its REST API (https://developer.wordpress.org/rest-api/reference/comments/), both ways.

It hides moderation, and that WordPress tells of no changes. Read from the reference and from a real WordPress 6.1.9,
which was asked everything this relies on; an account needs the right moderate_comments (role editor), for without it
there is no way to see what was trashed or held, nor to find an answer again.

Comments are asked for from `watch_hours` back, all pages, and compared with what the cursor remembers: an id nobody
told is a mention, another text is an edit, what is trash, spam or not to be found any more was deleted. `after`
compares the site's local time, so a day more is asked for. What stood there at the first pull is known and not told.

A reply carries its key as its user agent, a field that only moderators see and that comes back as it was sent: so one
whose answer was lost is found, by its words where an app that moderates took the mark (seen). WordPress accepts an
answer to a comment that is gone (seen), so that one is looked for just before. An answer that WordPress holds for
moderation stands nowhere yet: it counts as in doubt until it is approved, the ticket says what it waits for, and it
is never sent again; when it becomes spam or trash, a person decides.

    source   the Source itself           words    their JSON to our words, and what the cursor keeps
"""

from __future__ import annotations

from connector.sources.wordpress.source import Wordpress, WordpressOptions

__all__ = ["Wordpress", "WordpressOptions"]
