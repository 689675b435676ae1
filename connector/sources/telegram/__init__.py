"""Telegram, over the Bot API (https://core.telegram.org/bots/api, version 10.1 as PaulSonOfLars/telegram-bot-api-spec
has it): groups, comments on channel posts, private and business chats, and a channel's direct messages.

It hides update numbers, albums and the token in every address. Two rules must hold.

A mention is told once and none is missed. Telegram forgets an update when a later one is asked for, so the cursor is
the number of the first update that was not told yet, and asking with it forgets only what is durable here. After a
week without updates the numbers begin anew, lower perhaps; so a cursor that has seen nothing for six days asks
without a number. An album arrives as one message for each file; it is told when it is whole: when something came
after it, or when it did not grow for two seconds. Until then the cursor stays before it.

A reply is posted at most once. The Bot API has no key against doubles, shows no message that was sent, and does not
tell a bot of its own messages. So what was sent and not answered is Uncertain and `find` is Unsupported: a person
looks. That the message answered is still there is checked by the server itself, in the moment of posting
(`allow_sending_without_reply` false); in business chats it does not check, and there deletions are told instead.

Ids: `chat/message` of mentions and receipts, before it the connection and a slash in business chats; `chat/thread` or
`chat` of threads. The token stands in the address of every call: addresses are shown nowhere, the token is masked,
and a file is kept by its file_id, for which its address is asked at the last moment.

    source   the Source itself          updates   which updates are told, albums put together
    bot      calls and refusals         words     their JSON to our words
"""

from __future__ import annotations

from connector.sources.telegram.source import Telegram, TelegramOptions

__all__ = ["Telegram", "TelegramOptions"]
