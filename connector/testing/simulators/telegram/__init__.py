"""A small Telegram on loopback: a Bot API server with one bot, and the people, groups and channels around it.

An independent reading of the Bot API (core.telegram.org/bots/api); it shares no code with the adapter. It keeps the
manners that matter to whoever connects: an update is forgotten when a later one is asked for; an album is one message
for each file; a deletion is told in business chats only, and elsewhere found out when somebody answers; a message
that was sent is shown to nobody who asks, and never told to its sender; a group that becomes a supergroup has new
numbers.

    with TelegramSimulator("123456:token", description=path_or_none) as telegram:
        ann = telegram.person("Ann", "ann")
        group = telegram.group("Cats", username="cats")
        telegram.say(group, ann, "hello")
        …requests to telegram.url…

With a `description` (the machine-readable one of PaulSonOfLars/telegram-bot-api-spec) every request is held against
it: unknown methods and parameters, missing ones and wrong types are refused, and kept in `violations`.

Misbehaviour is switched with `misbehave` and `behave`; `flood` refuses one chat for a while, `cut_next_of`
loses the answer of a call after its work was done.
"""

from __future__ import annotations

from connector.testing.simulators.telegram.server import TelegramSimulator

__all__ = ["TelegramSimulator"]
