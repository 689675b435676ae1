"""Our own phrases, read and varied: slots filled, greetings, second sentences, faces, capitals. All from one seed."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
Row = tuple[str, str, str, str]
"""Text, label, language, source."""

NAMES = {
    "ru": {
        "t": "мтс мегафон билайн теле2 tele2 йота ростелеком beeline МТС МегаФон Билайн мотив",
        "b": "сбербанк сбер втб альфабанк тинькофф райффайзен россельхозбанк газпромбанк Сбербанк ВТБ банк",
        "s": "озон ozon вайлдберриз wildberries магнит пятерочка днс мвидео лента икеа авито магазин",
        "d": "сдэк почта dhl боксберри курьерка доставка",
    },
    "en": {
        "t": "verizon tmobile vodafone sprint comcast at&t",
        "b": "chase barclays citi hsbc santander",
        "s": "amazon target walmart ikea ebay",
        "d": "ups fedex dhl usps",
        "a": "united delta southwest jetblue american usairways @user @user you virginamerica",
        "k": "apple google microsoft twitter iphone android facebook samsung ios #apple #google #microsoft #twitter",
    },
}
OPENINGS = {
    "ru": "здравствуйте|добрый день|привет|ребят|скажите|слушайте|кстати|ну|вообще|блин".split("|"),
    "en": "hi|hey|hello|so|well|btw|guys|honestly".split("|"),
}
FACES = {
    "negative": "😡 🤬 👿 🤮 💩 😤 😠 👎 😭 🤢 💔 😩 😢 😞 😒 😔 😣 😫 🤦 😱 🙁 ( (( ((( :(".split(),
    "neutral": ["", "", "", "🤔", "👀"],
    "positive": "😍 🥰 😘 ❤️ 💖 💕 🤩 💯 👍 👏 🔥 💪 🎉 🙌 💙 😊 😀 😁 😄 🙂 🤗 🌹 🙏 ✨ 😋 ) )) ))) :) <3".split(),
}
ENDS = {"negative": ["!", "!!", "...", ".", "??"], "neutral": [".", "", "..."], "positive": ["!", "!!", "...", "."]}


def read_phrases() -> list[Row]:
    """Every phrase of `phrases/*.txt`; the source is the theme of its section."""
    found: list[Row] = []
    for path in sorted((HERE / "phrases").glob("*.txt")):
        label = theme = ""
        for line in path.read_text("utf-8").splitlines():
            text = line.strip()
            if text.startswith("[") and text.endswith("]"):
                label, _, theme = text[1:-1].partition(" ")
            elif text and not text.startswith("# "):
                found.append((text, label, path.name[:2], theme))
    return found


def varied(phrases: list[Row], copies: int, seed: int) -> list[Row]:
    """Each phrase as it is and in `copies` - 1 other shapes, and each face alone."""
    chance = random.Random(seed)
    alike: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for text, label, language, theme in phrases:
        alike[label, language, theme].append(text)
    found: list[Row] = []
    for text, label, language, theme in phrases:
        for copy in range(copies):
            shape = _shaped(text, label, language, alike[label, language, theme], chance) if copy else text
            names = NAMES[language]
            shape = re.sub(r"\{(\w)\}", lambda slot, names=names: chance.choice(names[slot[1]].split()), shape)
            if copy and label == "negative" and chance.random() < 0.05:
                shape = shape.upper()
            elif chance.random() < 0.5:
                shape = shape[0].upper() + shape[1:]
            found.append((shape, label, language, "own"))
    for label in ("negative", "positive"):
        found += [(face, label, language, "own") for face in FACES[label] for language in ("ru", "en")]
    return found


def _shaped(text: str, label: str, language: str, alike: list[str], chance: random.Random) -> str:
    if chance.random() < 0.25:
        text = text.rstrip(".") + chance.choice([". ", ", ", "! ", " "]) + chance.choice(alike)
    if chance.random() < 0.15:
        text = chance.choice(OPENINGS[language]) + chance.choice([", ", " ", "! "]) + text
    if chance.random() < 0.14:
        text = "@user " + text
    if chance.random() < 0.2:
        text = f"{text} {chance.choice(FACES[label])}".strip()
    if chance.random() < 0.15:
        text = text.rstrip(".") + chance.choice(ENDS[label])
    if label == "neutral" and chance.random() < 0.1:
        text += " http://t.co/x"
    return text
