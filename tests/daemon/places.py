"""Platforms as the daemon meets them: their simulator, a source on it, two people who ask, one of us who answers."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import sqlalchemy as sa
from daemon_world import DaemonWorld

from connector.store import Store
from connector.store.tables import cursors
from connector.testing.simulators.discourse import DiscourseSimulator
from connector.testing.simulators.mastodon import MastodonSimulator
from connector.testing.simulators.mastodon.shown import addresses
from connector.testing.simulators.meta import MetaSimulator
from connector.testing.simulators.ok import OkSimulator
from connector.testing.simulators.telegram import TelegramSimulator
from connector.testing.simulators.vk import VkSimulator
from connector.testing.simulators.wordpress import EDITOR, WordpressSimulator
from connector.testing.simulators.x import XSimulator

NATIVE = "Come by our shop in the harbour, we change it there."
REPLY = "We look into it and write to you today."
VK_TOKEN, VK_USER = "vk1.a.community-token-0123456789", "vk1.a.user-token-0123456789"
BOT = "7000001:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"


class Place(ABC):
    """A platform with two people who ask us something. `several`: in one thread. `tells_back`: it tells us of what an
    agent's reply became, among our own posts."""

    several: ClassVar[bool] = True
    tells_back: ClassVar[bool] = True

    def __init__(self, world: DaemonWorld) -> None:
        self.world = world

    @abstractmethod
    def other_side(self) -> AbstractContextManager[Any]:
        """The simulator."""

    @abstractmethod
    def source(self) -> dict[str, Any]:
        """The source's own settings."""

    @abstractmethod
    def ask(self, who: str, text: str) -> Any:
        """Somebody asks; what names it there."""

    @abstractmethod
    def answer(self, asked: Any, text: str) -> Any:
        """One of us answers it there, in the platform's own app; what names the answer."""

    def replied(self) -> bool:
        """Whether the agent's reply stands there."""
        raise NotImplementedError

    def address(self, asked: Any) -> str:
        """Where people read what somebody asked."""
        raise NotImplementedError

    def tell_back(self, receipt: str) -> None:  # noqa: B027  a manner, not a duty
        """The platform tells us of our own reply; most do so by themselves."""


class Mastodon(Place):
    def other_side(self) -> AbstractContextManager[Any]:
        self.there = MastodonSimulator()
        self.us = self.there.add_account("brand", "Brand", token="token")
        self.people = {name: self.there.add_account(f"{name}@far.example", name) for name in ("ann", "bob")}
        self.first = ""
        return self.there

    def source(self) -> dict[str, Any]:
        return {"type": "mastodon", "server": self.there.url, "access_token": "token"}

    def ask(self, who: str, text: str) -> str:
        asked = self.there.post(self.people[who], f"@brand {text}", answers=self.first)
        self.first = self.first or asked
        return asked

    def answer(self, asked: Any, text: str) -> str:
        return self.there.post(self.us, f"@ann@far.example {text}", answers=asked)

    def replied(self) -> bool:
        return any(REPLY in one.text for one in self.there.posts(self.us))

    def address(self, asked: Any) -> str:
        return addresses(self.there.statuses[asked])[0]


class VkWall(Place):
    def other_side(self) -> AbstractContextManager[Any]:
        self.there = VkSimulator(77, VK_TOKEN, VK_USER)
        self.people = {name: self.there.person(name) for name in ("ann", "bob")}
        self.post = self.there.post("New prices")
        return self.there

    def source(self) -> dict[str, Any]:
        given = {"type": "vk", "server": self.there.url, "group_id": 77, "long_poll": 0, "poll": 0.05}
        return given | {"token": VK_TOKEN, "user_token": VK_USER}

    def ask(self, who: str, text: str) -> Any:
        return self.there.comment("wall", self.post, self.people[who], text)

    def answer(self, asked: Any, text: str) -> Any:
        return self.there.comment("wall", self.post, -77, text, answers=asked)

    def replied(self) -> bool:
        return REPLY in self.there.sent()

    def address(self, asked: Any) -> str:
        return f"https://vk.com/wall-77_{self.post}?reply={asked}"


class VkMessages(VkWall):
    several = False

    def ask(self, who: str, text: str) -> Any:
        return self.there.write(self.people[who], text)

    def answer(self, asked: Any, text: str) -> Any:
        made = self.there.write(-77, text, peer=asked["from_id"], out=1)
        self.there.events[-1]["type"] = "message_reply"
        self.there.events[-1]["object"] = dict(made)
        return made


class TelegramGroup(Place):
    tells_back = False  # a bot does not hear itself in groups

    def other_side(self) -> AbstractContextManager[Any]:
        self.there = TelegramSimulator(BOT)
        self.people = {name: self.there.person(name, f"the_{name}") for name in ("ann", "bob")}
        self.us = self.there.person("Colleague", "colleague")
        self.cats = self.there.group("Cats", username="cats")
        self.first: Any = None
        return self.there

    def source(self) -> dict[str, Any]:
        given = {"type": "telegram", "token": BOT, "server": self.there.url, "poll": 0.05, "long_poll": 0}
        return given | {"own_accounts": ["@colleague"]}

    def ask(self, who: str, text: str) -> Any:
        asked = self.there.say(self.cats, self.people[who], text, answers=self.first)
        self.first = self.first or asked
        return asked

    def answer(self, asked: Any, text: str) -> Any:
        return self.there.say(self.cats, self.us, text, answers=asked)

    def replied(self) -> bool:
        return any(one.get("text") == REPLY for one in self.there.posted)

    def address(self, asked: Any) -> str:
        return f"https://t.me/cats/{asked['message_id']}"


class TelegramBusiness(TelegramGroup):
    several = False
    tells_back = True

    def other_side(self) -> AbstractContextManager[Any]:
        there = super().other_side()
        self.connection = self.there.connect_business(self.us)
        return there

    def ask(self, who: str, text: str) -> Any:
        now = int(time.time())  # a business chat is closed to bots a day after the last message
        return self.there.say_in_business(self.connection, self.people[who], text, date=now)

    def answer(self, asked: Any, text: str) -> Any:
        return self.there.say_in_business(self.connection, asked["from"], text, by_owner=True)


class Discourse(Place):
    def other_side(self) -> AbstractContextManager[Any]:
        self.there = DiscourseSimulator()
        self.us = self.there.add_user("brand", "Brand", key="key")
        self.people = {name: self.there.add_user(name, name) for name in ("ann", "bob")}
        self.first = 0
        return self.there

    def source(self) -> dict[str, Any]:
        given = {"type": "discourse", "base_url": self.there.url, "api_username": "brand", "api_key": "key"}
        return given | {"watch_every": 0.1}

    def ask(self, who: str, text: str) -> Any:
        words = f"@brand {text}"
        if self.first:
            return self.there.answer_in(self.people[who], self.first, words)
        self.first = self.there.begin(self.people[who], "My order", words)
        return self.first

    def answer(self, asked: Any, text: str) -> Any:
        return self.there.answer_in(
            self.us, asked, text, to=asked != self.first
        )  # the first post has no number to name

    def replied(self) -> bool:
        return any(one.raw == REPLY for one in self.there.of(self.us))

    def address(self, asked: Any) -> str:
        return f"{self.there.url}/p/{asked}"


class FacebookPage(Place):
    def other_side(self) -> AbstractContextManager[Any]:
        self.there = MetaSimulator()
        self.post = self.there.add_post("New collection")
        return self.there

    def source(self) -> dict[str, Any]:
        given = {"type": "facebook", "page_id": self.there.page, "service": self.there.url}
        return given | {"app_secret": self.there.app_secret, "access_token": self.there.token}

    def ask(self, who: str, text: str) -> Any:
        return self.there.comment(who, self.post, text)

    def answer(self, asked: Any, text: str) -> Any:
        return self.there.comment("", self.post, text, asked)

    def replied(self) -> bool:
        return any(one.text == REPLY for kind in ("comment", "message") for one in self.there.ours(kind))

    def address(self, asked: Any) -> str:
        post, comment = asked.split("_")
        return f"https://www.facebook.com/brand/posts/{post}?comment_id={comment}"


class Messenger(FacebookPage):
    several = False

    def ask(self, who: str, text: str) -> Any:
        return self.there.message(who, text)

    def answer(self, asked: Any, text: str) -> Any:
        return self.there.message("", text)


class InstagramAccount(Place):
    def other_side(self) -> AbstractContextManager[Any]:
        self.there = MetaSimulator()
        self.post = self.there.add_media("New collection")
        return self.there

    def source(self) -> dict[str, Any]:
        given = {"type": "instagram", "account_id": self.there.account, "service": self.there.url}
        return given | {"app_secret": self.there.app_secret, "access_token": self.there.token}

    def ask(self, who: str, text: str) -> Any:
        return self.there.ig_comment(who, self.post, text)

    def answer(self, asked: Any, text: str) -> Any:
        return self.there.ig_comment("", self.post, text, asked)

    def replied(self) -> bool:
        return any(one.text == REPLY for kind in ("ig_comment", "ig_message") for one in self.there.ours(kind))

    def address(self, asked: Any) -> str:
        return f"https://www.instagram.com/p/{self.post}/c/{asked}/"


class InstagramMessages(InstagramAccount):
    several = False

    def ask(self, who: str, text: str) -> Any:
        return self.there.message(who, text, instagram=True)

    def answer(self, asked: Any, text: str) -> Any:
        return self.there.message("", text, instagram=True)


class XMessages(Place):
    several = False

    def other_side(self) -> AbstractContextManager[Any]:
        self.there = XSimulator()
        self.us = self.there.add_user("brand")
        self.people = {name: self.there.add_user(name) for name in ("ann", "bob")}
        return self.there

    def source(self) -> dict[str, Any]:
        given = {"type": "x", "service": self.there.url, "direct_messages": True, "direct_messages_every": 0}
        given |= {"api_key": self.there.api_key, "api_secret": self.there.api_secret}
        return given | {"access_token": self.us.token, "access_token_secret": self.us.secret}

    def ask(self, who: str, text: str) -> Any:
        self.asker = self.people[who]
        return self.there.message(self.asker, self.us, text)

    def answer(self, asked: Any, text: str) -> Any:
        return self.there.message(self.us, self.asker, text)

    def replied(self) -> bool:
        return any(one.text == REPLY for one in self.there.messages)


class XPosts(XMessages):
    several = True
    tells_back = False  # only what names us is told

    def ask(self, who: str, text: str) -> Any:
        return self.there.post(self.people[who], f"@brand {text}")

    def answer(self, asked: Any, text: str) -> Any:
        return self.there.post(self.us, f"@brand {text}", answers=asked)  # X tells us only of what names us

    def replied(self) -> bool:
        return any(REPLY in one.text for one in self.there.posts(self.us))

    def address(self, asked: Any) -> str:
        return f"https://x.com/ann/status/{asked}"


class OkGroup(Place):
    several = False

    def other_side(self) -> AbstractContextManager[Any]:
        self.there = OkSimulator()
        self.people = {name: self.there.person(name) for name in ("ann", "bob")}
        return self.there

    def source(self) -> dict[str, Any]:
        return {"type": "ok", "server": self.there.url, "token": self.there.token}

    def ask(self, who: str, text: str) -> Any:
        self.there.say(self.people[who], text)
        return self.people[who]

    def answer(self, asked: Any, text: str) -> Any:
        return self.there.say_ourselves(asked, text)

    def replied(self) -> bool:
        return REPLY in self.there.ours()


class Wordpress(Place):
    def other_side(self) -> AbstractContextManager[Any]:
        self.there = WordpressSimulator("editor", "abcd EFGH ijkl")
        return self.there

    def source(self) -> dict[str, Any]:
        given = {"type": "wordpress", "url": self.there.url, "user": self.there.user}
        return given | {"app_password": self.there.password}

    def ask(self, who: str, text: str) -> Any:
        return self.there.comment(text, who)

    def answer(self, asked: Any, text: str) -> Any:
        return self.there.comment(text, "Brand", parent=asked, author=EDITOR)

    def replied(self) -> bool:
        return any(REPLY in one for one in self.there.answers())

    def address(self, asked: Any) -> str:
        return f"{self.there.url}/?p=5#comment-{asked}"


class Bridge(Place):
    def other_side(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def source(self) -> dict[str, Any]:
        return {key: value for key, value in self.world.webhook().items() if key != "helpdesk"}

    def _say(self, name: str, who: str, text: str, **more: Any) -> str:
        told = {"id": name, "author": {"id": who, "name": who}, "text": text, "thread_id": "thread", **more}
        told |= {"created_at": "2026-11-20T10:00:00Z"}
        assert self.world.send(told, source="here").status_code == 200
        return name

    def ask(self, who: str, text: str) -> Any:
        return self._say(f"asked-{who}-{len(text)}", who, text)

    def answer(self, asked: Any, text: str) -> Any:
        self.asked = asked
        return self._say(f"said-{len(text)}", "us", text, own=True, parent={"id": asked})

    def replied(self) -> bool:
        return any(one["text"] == REPLY for one in self.world.bridge.posts.values())

    def tell_back(self, receipt: str) -> None:
        self._say(receipt, "us", "the bridge changed the words", own=True, parent={"id": self.asked})


PLACES = (
    Mastodon,
    VkWall,
    VkMessages,
    TelegramGroup,
    TelegramBusiness,
    Discourse,
    FacebookPage,
    Messenger,
    InstagramAccount,
    InstagramMessages,
    XPosts,
    XMessages,
    OkGroup,
    Wordpress,
    Bridge,
)

FOUND = (Mastodon, VkWall, TelegramGroup, Discourse, FacebookPage, InstagramAccount, XPosts, Wordpress)
"""Those whose public posts have an address by which a tool may find them."""


def rows(world: DaemonWorld, *columns: Any) -> list[Any]:
    """What the store holds."""
    store = Store(world.settings["store"])
    try:
        with store.read() as tx:
            return list(tx.execute(sa.select(*columns)))
    finally:
        store.close()


def pulled(world: DaemonWorld) -> bool:
    """Whether a first pull of every source is behind it: what is said from then on is told."""
    return {row.account for row in rows(world, cursors) if row.value is not None} >= set(world.settings["sources"])
