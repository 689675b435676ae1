"""whose first answer is due when; whose texts were erased; in what tone somebody spoke"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "watches",
        sa.Column("conversation", number, autoincrement=False, nullable=False),
        sa.Column("delivery", number, nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("due", sa.Text(), nullable=False),
        sa.Column("target", sa.Double(), nullable=False),
        sa.Column("breach", sa.Double(), nullable=False),
        sa.Column("step", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_at", sa.Double(), nullable=True),
        sa.Column("note", number, nullable=True),
        sa.Column("note_after", sa.Integer(), server_default="0", nullable=False),
        sa.Column("later", sa.Text(), nullable=True),
        sa.Column("later_delivery", number, nullable=True),
        sa.Column("later_since", sa.Double(), nullable=True),
        sa.Column("begun_at", sa.Double(), nullable=False),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["conversation"], ["conversations.id"]),
        sa.ForeignKeyConstraint(["delivery"], ["deliveries.id"]),
        sa.PrimaryKeyConstraint("conversation"),
    )
    _index("watches_due", "watches", ["next_at"], "next_at IS NOT NULL")
    _index("watches_open", "watches", ["breach", "target"], "ended_at IS NULL")
    op.add_column("conversations", sa.Column("stirred_at", sa.Double(), nullable=True))
    op.execute(
        "UPDATE conversations SET stirred_at ="
        " (SELECT max(created_at) FROM deliveries WHERE deliveries.conversation = conversations.id)"
    )
    op.add_column("deliveries", sa.Column("tone", sa.Text(), nullable=True))
    op.add_column("mentions", sa.Column("erased_at", sa.Double(), nullable=True))
    _index("mentions_kept", "mentions", ["received_at"], "erased_at IS NULL")


def _index(name: str, table: str, columns: list[str], where: str) -> None:
    some = sa.text(where)
    op.create_index(name, table, columns, unique=False, sqlite_where=some, postgresql_where=some)
