"""Alembic's entry: runs in the transaction the store hands over, which holds every revision and its DDL."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], render_as_batch=True)
context.run_migrations()
