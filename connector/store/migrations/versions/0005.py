"""storms, silences, digests, what was seen of which topic, moves to private, tones of tickets"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def _id() -> Any:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("tickets", sa.Column("tone", sa.Text(), server_default="", nullable=False))
    op.create_table(
        "storms",
        sa.Column("id", _id(), autoincrement=True, nullable=False),
        sa.Column("helpdesk", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("conversation", _id(), nullable=True),
        sa.Column("began_at", sa.Double(), nullable=False),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.Column("authors", sa.Integer(), nullable=False),
        sa.Column("usual", sa.Double(), nullable=False),
        sa.Column("least", sa.Integer(), nullable=False),
        sa.Column("calm", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["conversation"], ["conversations.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    _where("storms_active", "storms", ["helpdesk", "topic", "source"], "ended_at IS NULL", unique=True)
    op.create_table(
        "silences",
        sa.Column("id", _id(), autoincrement=True, nullable=False),
        sa.Column("topic", sa.Text(), server_default="", nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("made_at", sa.Double(), nullable=False),
        sa.Column("until", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "digests",
        sa.Column("id", _id(), autoincrement=True, nullable=False),
        sa.Column("helpdesk", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("silence", _id(), nullable=True),
        sa.Column("conversation", _id(), nullable=True),
        sa.ForeignKeyConstraint(["silence"], ["silences.id"]),
        sa.ForeignKeyConstraint(["conversation"], ["conversations.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("helpdesk", "name"),
    )
    op.create_table(
        "sightings",
        sa.Column("delivery", _id(), autoincrement=False, nullable=False),
        sa.Column("conversation", _id(), nullable=False),
        sa.Column("helpdesk", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("negative", sa.Boolean(), nullable=False),
        sa.Column("apart", sa.Boolean(), nullable=False),
        sa.Column("placed", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("answered", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("storm", _id(), nullable=True),
        sa.Column("linked", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("digest", _id(), nullable=True),
        sa.Column("told", _id(), nullable=True),
        sa.ForeignKeyConstraint(["storm"], ["storms.id"]),
        sa.ForeignKeyConstraint(["digest"], ["digests.id"]),
        sa.PrimaryKeyConstraint("delivery"),
    )
    op.create_index("sightings_topic", "sightings", ["topic", "at"], unique=False)
    op.create_index("sightings_helpdesk", "sightings", ["helpdesk", "at"], unique=False)
    _where(
        "sightings_unlinked",
        "sightings",
        ["storm"],
        "storm IS NOT NULL AND linked = 0",
        "storm IS NOT NULL AND NOT linked",
    )
    _where("sightings_untold", "sightings", ["digest"], "digest IS NOT NULL AND told IS NULL")
    _where("sightings_told", "sightings", ["told"], "told IS NOT NULL")

    op.create_table(
        "private_moves",
        sa.Column("helpdesk", sa.Text(), nullable=False),
        sa.Column("ticket", sa.Text(), nullable=False),
        sa.Column("conversation", _id(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("asks", sa.Integer(), nullable=False),
        sa.Column("tagged", sa.Boolean(), nullable=False),
        sa.Column("asked_at", sa.Double(), nullable=False),
        sa.Column("reminded", sa.Boolean(), nullable=False),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.Column("private", _id(), nullable=True),
        sa.PrimaryKeyConstraint("helpdesk", "ticket"),
    )
    op.create_index("private_moves_conversation", "private_moves", ["conversation"])
    _where("private_moves_awaited", "private_moves", ["author"], "ended_at IS NULL")


def _where(
    name: str, table: str, columns: list[str], condition: str, postgresql: str = "", *, unique: bool = False
) -> None:
    where, other = sa.text(condition), sa.text(postgresql or condition)
    op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=other)
