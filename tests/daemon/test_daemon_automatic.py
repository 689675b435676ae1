"""An automatic answer through the running daemon, on each database: posted once, and told on its ticket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_world import DaemonWorld, mention, until

AUTOMATIC = "automatic: {kinds: [thanks, praise], confidence: 0.5, dry_run: false}\n"


@pytest.fixture
def world(tmp_path: Path, store_url: str) -> Iterator[DaemonWorld]:
    made = DaemonWorld(tmp_path, store_url)
    (made.mappings / "80-automatic.yaml").write_text(AUTOMATIC, encoding="utf-8")
    yield made
    made.close()


def test_a_thank_you_is_answered_once_and_a_complaint_never(world: DaemonWorld) -> None:
    world.start()
    tone = {"label": "positive", "score": 0.8, "confidence": 0.95}
    world.send(
        mention(1, text="Thank you, it was great", tone=tone, language="en"),
        mention(2, text="Thank you for nothing", tone="negative", author={"id": "u2", "name": "Bob"}),
    )
    until(lambda: world.bridge.order, "the answer")
    world.carried()

    (posted,) = world.bridge.posts.values()
    assert posted["mention_id"] == "m1"
    assert posted["text"].startswith("Thank you for the kind words!")
    (ticket,) = [one for one in world.sandbox.tickets() if "answered_automatically" in one["tags"]]
    notes = [one["plain_body"] for one in world.sandbox.comments(int(ticket["id"])) if not one["public"]]
    assert sum("Automatic answer posted" in note for note in notes) == 1
