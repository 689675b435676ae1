"""The tables. Times are Unix seconds of the database's clock; bodies are JSON text made by `model.encode`."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

OWN_POST = "our own post"
ANSWERED_THERE = "answered on the platform itself"
"""Reasons of deliveries by which the store itself knows that somebody of ours has spoken."""

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_Time: sa.Double[float] = sa.Double()

conversations = sa.Table(
    "conversations",
    metadata,
    sa.Column("id", _Id, primary_key=True, autoincrement=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False, comment="the thread, or the thread and the author"),
    sa.Column("helpdesk", sa.Text, nullable=False),
    sa.Column("ticket", sa.Text, comment="the link; null until the ticket is open"),
    sa.Column("external_id", sa.Text, comment="what the ticket carries, to find it again"),
    sa.Column("linked_at", _Time, comment="set when the link moved: older comments there were not for this person"),
    sa.Column("live_in", sa.Integer, nullable=False, server_default="0", comment="unfinished towards the helpdesk"),
    sa.Column("live_out", sa.Integer, nullable=False, server_default="0", comment="unfinished towards the platform"),
    sa.Column("stirred_at", _Time, comment="when something was last born in it"),
    sa.UniqueConstraint("source", "name"),
    sa.Index("conversations_ticket", "helpdesk", "ticket"),
)

mentions = sa.Table(
    "mentions",
    metadata,
    sa.Column("id", _Id, primary_key=True, autoincrement=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("external_id", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("author", sa.Text, nullable=False, server_default="", comment="platform:id"),
    sa.Column("conversation", _Id, sa.ForeignKey("conversations.id"), nullable=False),
    sa.Column("received_at", _Time, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("erased_at", _Time, comment="when its text and author were taken out"),
    sa.UniqueConstraint("source", "external_id", "version"),
    sa.Index("mentions_conversation", "conversation", "id"),
    sa.Index("mentions_author", "author", "received_at"),
)

_kept = mentions.c.erased_at.is_(None)
sa.Index("mentions_kept", mentions.c.received_at, sqlite_where=_kept, postgresql_where=_kept)

replies = sa.Table(
    "replies",
    metadata,
    sa.Column("id", _Id, primary_key=True, autoincrement=True),
    sa.Column("helpdesk", sa.Text, nullable=False),
    sa.Column("comment", sa.Text, nullable=False),
    sa.Column("ticket", sa.Text, nullable=False),
    sa.Column("conversation", _Id, sa.ForeignKey("conversations.id"), nullable=False),
    sa.Column("received_at", _Time, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False, server_default="", comment="of its words, to know it said again"),
    sa.UniqueConstraint("helpdesk", "comment"),
    sa.Index("replies_digest", "digest", "received_at"),
    sa.Index("replies_conversation", "conversation", "id"),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", _Id, primary_key=True, autoincrement=True),
    sa.Column("conversation", _Id, sa.ForeignKey("conversations.id"), nullable=False),
    sa.Column("lane", _Id, nullable=False, comment="conversation * 2, plus 1 towards the platform"),
    sa.Column("kind", sa.Text, nullable=False, comment="mention, reply, note or bulletin"),
    sa.Column("account", sa.Text, nullable=False, comment="where it goes: a helpdesk's or a source's name"),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("mention", _Id, sa.ForeignKey("mentions.id")),
    sa.Column("reply", _Id, sa.ForeignKey("replies.id")),
    sa.Column("body", sa.Text, comment="a note's draft; the pieces of a split reply"),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Column("trace", sa.Text, comment="the decision"),
    sa.Column("tone", sa.Text, comment="of a mention that was carried, as it was decided"),
    sa.Column("rank", sa.Integer, nullable=False, server_default="1", comment="0 goes before 1"),
    sa.Column("due_at", _Time, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("owner", sa.Text, nullable=False, server_default=""),
    sa.Column("fence", sa.Integer, nullable=False, server_default="0", comment="grows with each claim"),
    sa.Column("lease_until", _Time, nullable=False, server_default="0"),
    sa.Column("carrier", _Id, comment="the delivery whose comment carries this one too"),
    sa.Column("doubted_at", _Time, comment="when it was first unclear whether it happened"),
    sa.Column("checked_at", _Time, comment="when the reconciler looked once more"),
    sa.Column("created_at", _Time, nullable=False),
    sa.Column("ended_at", _Time),
)
_due = deliveries.c.state.in_(("ready", "intent"))
sa.Index(
    "deliveries_due",
    deliveries.c.account,
    deliveries.c.rank,
    deliveries.c.due_at,
    sqlite_where=_due,
    postgresql_where=_due,
)
_blocked = deliveries.c.state == "blocked"
sa.Index("deliveries_blocked", deliveries.c.lane, deliveries.c.id, sqlite_where=_blocked, postgresql_where=_blocked)
sa.Index("deliveries_mention", deliveries.c.mention)
sa.Index("deliveries_conversation", deliveries.c.conversation, deliveries.c.id)
sa.Index("deliveries_state", deliveries.c.state, deliveries.c.source, deliveries.c.kind, postgresql_include=["id"])
_unchecked = sa.and_(deliveries.c.doubted_at.is_not(None), deliveries.c.checked_at.is_(None))
sa.Index("deliveries_unchecked", deliveries.c.doubted_at, sqlite_where=_unchecked, postgresql_where=_unchecked)

parts = sa.Table(
    "parts",
    metadata,
    sa.Column("delivery", _Id, sa.ForeignKey("deliveries.id"), primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True),
    sa.Column("op", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False, comment="the frozen request"),
    sa.Column("repeatable", sa.Boolean, nullable=False),
    sa.Column("intent_at", _Time, nullable=False),
    sa.Column("receipt", sa.Text),
    sa.Column("receipt_id", sa.Text, comment="the comment's or post's id, to recognise our own"),
    sa.Index("parts_receipt", "receipt_id"),
)
_opens = parts.c.op == "ticket"
sa.Index("parts_opened", parts.c.delivery, sqlite_where=_opens, postgresql_where=_opens)

counters = sa.Table(
    "counters",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("received", _Id, nullable=False, server_default="0"),
    sa.Column("duplicates", _Id, nullable=False, server_default="0"),
    sa.Column("last_at", _Time),
)

cursors = sa.Table(
    "cursors",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("value", sa.Text),
    sa.Column("owner", sa.Text, nullable=False, server_default=""),
    sa.Column("epoch", sa.Integer, nullable=False, server_default="0"),
    sa.Column("lease_until", _Time, nullable=False, server_default="0"),
    sa.Column("pulled_at", _Time),
    sa.Column("trouble", sa.Text, nullable=False, server_default=""),
    sa.Column("trouble_since", _Time),
)

accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("paused_until", _Time, nullable=False, server_default="0"),
    sa.Column("stopped", sa.Text, nullable=False, server_default="", comment="why no call is made, but for a probe"),
    sa.Column("stopped_at", _Time),
    sa.Column("per_minute", _Time, comment="calls allowed in a minute, all replicas together"),
    sa.Column("next_at", _Time, nullable=False, server_default="0", comment="when the next call fits (GCRA)"),
)

wakeups = sa.Table(
    "wakeups",
    metadata,
    sa.Column("helpdesk", sa.Text, primary_key=True),
    sa.Column("ticket", sa.Text, primary_key=True),
    sa.Column("seq", sa.Integer, nullable=False, server_default="1", comment="grows with each call"),
    sa.Column("due_at", _Time, nullable=False),
)

tickets = sa.Table(
    "tickets",
    metadata,
    sa.Column("helpdesk", sa.Text, primary_key=True),
    sa.Column("ticket", sa.Text, primary_key=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("assignee", sa.Text, nullable=False, server_default=""),
    sa.Column("satisfaction", sa.Text, nullable=False, server_default="", comment="good, bad or nothing"),
    sa.Column("tone", sa.Text, nullable=False, server_default="", comment="what stands in its tone field"),
    sa.Column("solved_at", _Time, comment="when it was first seen solved, since it was last seen open"),
    sa.Column("reopened", sa.Integer, nullable=False, server_default="0", comment="how often it was seen open again"),
    sa.Column("seen_at", _Time, nullable=False),
)

watches = sa.Table(
    "watches",
    metadata,
    sa.Column("conversation", _Id, sa.ForeignKey("conversations.id"), primary_key=True, autoincrement=False),
    sa.Column("delivery", _Id, sa.ForeignKey("deliveries.id"), nullable=False, comment="the mention it began with"),
    sa.Column("since", _Time, nullable=False, comment="when that was said"),
    sa.Column("due", sa.Text, nullable=False, comment="its deadlines"),
    sa.Column("target", _Time, nullable=False),
    sa.Column("breach", _Time, nullable=False),
    sa.Column("step", sa.Integer, nullable=False, server_default="0", comment="how many steps were acted on"),
    sa.Column("next_at", _Time, comment="when the next step passes; null: none will"),
    sa.Column("note", _Id, comment="the last note born of it"),
    sa.Column("note_after", sa.Integer, nullable=False, server_default="0", comment="the step before that note"),
    sa.Column("later", sa.Text, comment="deadlines of the last mention that came while it ran"),
    sa.Column("later_delivery", _Id),
    sa.Column("later_since", _Time),
    sa.Column("begun_at", _Time, nullable=False),
    sa.Column("ended_at", _Time),
    sa.Column("why", sa.Text, nullable=False, server_default="", comment="why it ended"),
)
_waits = watches.c.next_at.is_not(None)
sa.Index("watches_due", watches.c.next_at, sqlite_where=_waits, postgresql_where=_waits)
_open = watches.c.ended_at.is_(None)
sa.Index("watches_open", watches.c.breach, watches.c.target, sqlite_where=_open, postgresql_where=_open)

muted = sa.Table(
    "muted",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("author", sa.Text, primary_key=True, comment="platform:id"),
    sa.Column("helpdesk", sa.Text, nullable=False),
    sa.Column("ticket", sa.Text, nullable=False, comment="on which an agent said so"),
    sa.Column("muted_at", _Time, nullable=False),
    sa.Index("muted_ticket", "helpdesk", "ticket"),
)

storms = sa.Table(
    "storms",
    metadata,
    sa.Column("id", _Id, primary_key=True, autoincrement=True),
    sa.Column("helpdesk", sa.Text, nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False, server_default="", comment="empty: all sources together"),
    sa.Column("conversation", _Id, sa.ForeignKey("conversations.id"), comment="of its problem ticket"),
    sa.Column("began_at", _Time, nullable=False),
    sa.Column("ended_at", _Time),
    sa.Column("authors", sa.Integer, nullable=False, comment="how many were unhappy when it began"),
    sa.Column("usual", _Time, nullable=False, comment="how many usually are at that time of day"),
    sa.Column("least", sa.Integer, nullable=False, comment="it ends when fewer are,"),
    sa.Column("calm", _Time, nullable=False, comment="within so many seconds"),
)
_raging = storms.c.ended_at.is_(None)
sa.Index(
    "storms_active",
    storms.c.helpdesk,
    storms.c.topic,
    storms.c.source,
    unique=True,
    sqlite_where=_raging,
    postgresql_where=_raging,
)

silences = sa.Table(
    "silences",
    metadata,
    sa.Column("id", _Id, primary_key=True, autoincrement=True),
    sa.Column("topic", sa.Text, nullable=False, server_default="", comment="empty: whatever it is about"),
    sa.Column("source", sa.Text, nullable=False, server_default="", comment="empty: wherever it was said"),
    sa.Column("why", sa.Text, nullable=False, server_default=""),
    sa.Column("made_at", _Time, nullable=False),
    sa.Column("until", _Time, nullable=False, comment="when it ends, or was ended"),
)

digests = sa.Table(
    "digests",
    metadata,
    sa.Column("id", _Id, primary_key=True, autoincrement=True),
    sa.Column("helpdesk", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False, comment="what it gathers: an hour, a silence or a storm, and which"),
    sa.Column("silence", _Id, sa.ForeignKey("silences.id"), comment="told when that is over"),
    sa.Column("conversation", _Id, sa.ForeignKey("conversations.id"), comment="of its ticket"),
    sa.UniqueConstraint("helpdesk", "name"),
)

sightings = sa.Table(
    "sightings",
    metadata,
    sa.Column("delivery", _Id, primary_key=True, autoincrement=False, comment="which it may outlive"),
    sa.Column("conversation", _Id, nullable=False),
    sa.Column("helpdesk", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("author", sa.Text, nullable=False, comment="only to count people: a digest, nobody's name"),
    sa.Column("at", _Time, nullable=False),
    sa.Column("negative", sa.Boolean, nullable=False),
    sa.Column("apart", sa.Boolean, nullable=False, comment="has a ticket of its own and no part in a storm"),
    sa.Column("placed", sa.Text, nullable=False, comment="ticket, comment or digest"),
    sa.Column("reason", sa.Text, nullable=False, server_default="", comment="why it is in a digest"),
    sa.Column("answered", sa.Boolean, nullable=False, server_default=sa.text("false"), comment="by ourselves"),
    sa.Column("storm", _Id, sa.ForeignKey("storms.id")),
    sa.Column("linked", sa.Boolean, nullable=False, server_default=sa.text("false"), comment="its ticket says so"),
    sa.Column("digest", _Id, sa.ForeignKey("digests.id")),
    sa.Column("told", _Id, comment="the bulletin that carries it"),
    sa.Index("sightings_topic", "topic", "at"),
    sa.Index("sightings_helpdesk", "helpdesk", "at"),
)
_unlinked = sa.and_(sightings.c.storm.is_not(None), ~sightings.c.linked)
sa.Index("sightings_unlinked", sightings.c.storm, sqlite_where=_unlinked, postgresql_where=_unlinked)
_untold = sa.and_(sightings.c.digest.is_not(None), sightings.c.told.is_(None))
sa.Index("sightings_untold", sightings.c.digest, sqlite_where=_untold, postgresql_where=_untold)
_carried = sightings.c.told.is_not(None)
sa.Index("sightings_told", sightings.c.told, sqlite_where=_carried, postgresql_where=_carried)

private_moves = sa.Table(
    "private_moves",
    metadata,
    sa.Column("helpdesk", sa.Text, primary_key=True),
    sa.Column("ticket", sa.Text, primary_key=True),
    sa.Column("conversation", _Id, nullable=False, comment="the public one"),
    sa.Column("author", sa.Text, nullable=False, comment="platform:id, whose private message it waits for"),
    sa.Column("asks", sa.Integer, nullable=False, comment="how often it was asked for"),
    sa.Column("tagged", sa.Boolean, nullable=False, comment="the tag was seen and not yet seen gone"),
    sa.Column("asked_at", _Time, nullable=False),
    sa.Column("reminded", sa.Boolean, nullable=False),
    sa.Column("ended_at", _Time, comment="when the person wrote privately"),
    sa.Column("private", _Id, comment="the conversation they wrote in, joined to this ticket"),
    sa.Index("private_moves_conversation", "conversation"),
)
_awaited = private_moves.c.ended_at.is_(None)
sa.Index("private_moves_awaited", private_moves.c.author, sqlite_where=_awaited, postgresql_where=_awaited)

meta = sa.Table(
    "meta",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
