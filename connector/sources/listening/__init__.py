"""Listening tools: YouScan, Brand Analytics, Brand24, Mention, Brandwatch, Awario, or any other by a field map.

What a tool calls things, where it keeps them and how it is asked is data (`connector.fieldmap` and its presets). This
package knows the two ways in which a tool can be asked without losing anything, and the webhook.

    sequence   the tool numbers mentions as it finds them: ask for what is above the last number we told
    window     it only knows spans of time: ask again and again for the last days, and know by its id what was told

Never the publication date: tools find old posts late. A row that cannot be read as a mention is left out and logged,
and holds nothing up; a hook with such a row is refused whole, so that its sender sees it.

Nothing can be answered here. What a tool found on a platform where we have an account of our own arrives as that
account's mention (see `connector.flow.intake.located`); the rest is answered by hand, over the link.
"""

from __future__ import annotations

from connector.sources.listening.source import Listening, ListeningOptions

__all__ = ["Listening", "ListeningOptions"]
