"""Schema revisions, oldest first. Expand, then contract: an old replica must survive beside a new schema."""
