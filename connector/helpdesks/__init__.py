"""Helpdesks: where agents work. One adapter each, an entry point of the group `connector.helpdesks`."""
