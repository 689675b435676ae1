"""who wrote a mention, what was said before, how tickets stand, who is muted"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_AUTHORS = {
    "sqlite": (
        "UPDATE mentions SET author = json_extract(body, '$.platform') || ':' || json_extract(body, '$.author.id')"
    ),
    "postgresql": (
        "UPDATE mentions SET author = (body::json ->> 'platform') || ':' || (body::json -> 'author' ->> 'id')"
    ),
}


def upgrade() -> None:
    op.add_column("conversations", sa.Column("linked_at", sa.Double(), nullable=True))
    op.add_column("mentions", sa.Column("author", sa.Text(), server_default="", nullable=False))
    op.execute(_AUTHORS[op.get_bind().dialect.name])
    op.create_index("mentions_author", "mentions", ["author", "received_at"], unique=False)
    op.add_column("replies", sa.Column("digest", sa.Text(), server_default="", nullable=False))
    op.create_index("replies_digest", "replies", ["digest", "received_at"], unique=False)
    op.create_index("replies_conversation", "replies", ["conversation", "id"], unique=False)
    op.create_table(
        "tickets",
        sa.Column("helpdesk", sa.Text(), nullable=False),
        sa.Column("ticket", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("assignee", sa.Text(), server_default="", nullable=False),
        sa.Column("satisfaction", sa.Text(), server_default="", nullable=False),
        sa.Column("solved_at", sa.Double(), nullable=True),
        sa.Column("reopened", sa.Integer(), server_default="0", nullable=False),
        sa.Column("seen_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("helpdesk", "ticket"),
    )
    op.create_table(
        "muted",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("helpdesk", sa.Text(), nullable=False),
        sa.Column("ticket", sa.Text(), nullable=False),
        sa.Column("muted_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("source", "author"),
    )
    op.create_index("muted_ticket", "muted", ["helpdesk", "ticket"], unique=False)
