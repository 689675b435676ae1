"""Is a request's body as the vendor wants it? Unknown properties first, then every wrong value at once.

Documented: which properties a ticket, contact, reply... takes, and their types. Whether unknown properties are told
alone, as here, is unconfirmed; so are the lengths (subject 255, tag 32) and most of the words, see `answers`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime

from connector.testing.simulators.freshdesk.answers import Row, complaint, invalid, unexpected

Checked = tuple[object, Row | None]
Kind = Callable[[str, object, bool], Checked]
"""(property's name, value, does it come from a form?) -> (value as kept, complaint or None)."""
_EMAIL = re.compile(r"[^@\s<>,]+@[^@\s<>,]+\.[^@\s<>,]+")
_TYPES = {bool: "Boolean", int: "Integer", float: "Float", str: "String", list: "Array", dict: "Hash"}


def body(known: Mapping[str, Kind], wanted: Row, is_form: bool) -> tuple[Row, list[Row]]:
    """(the values, what is wrong with them); unknown properties are refused at once."""
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise invalid(*(unexpected(name) for name in unknown))
    values: Row = {}
    wrong = []
    for name, value in wanted.items():
        values[name], bad = known[name](name, value, is_form)
        if bad is not None:
            wrong.append(bad)
    return values, wrong


def mistyped(name: str, value: object, wish: str) -> Row:
    """A value of another type than wished, e.g. `a/an String`."""
    return complaint(name, f"Value set is of type {type_name(value)}.It should be {wish}", "datatype_mismatch")


def type_name(value: object) -> str:
    """What the vendor calls the type of a JSON value."""
    return _TYPES.get(type(value), "Null")


def one_of_words(options: Iterable[object]) -> str:
    """The sentence that lists what would have been right."""
    return f"one of these values: '{','.join(str(option) for option in options)}'"


def text(longest: int | None = None) -> Kind:
    """A string."""

    def check(name: str, value: object, _: bool) -> Checked:
        if value is None:
            return None, None
        if not isinstance(value, str):
            return value, mistyped(name, value, "a/an String")
        if longest is not None and len(value) > longest:
            words = f"Has {len(value)} characters, it can have maximum of {longest} characters"
            return value, complaint(name, words, "invalid_value")
        return value, None

    return check


def number(name: str, value: object, is_form: bool) -> Checked:
    """An id or another whole number above nought."""
    if is_form and isinstance(value, str) and value.isdigit():
        value = int(value)
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return value, None
    return value, mistyped(name, value, "a/an Positive Integer")


def flag(name: str, value: object, is_form: bool) -> Checked:
    """True or false."""
    if is_form and value in ("true", "false"):
        value = value == "true"
    if value is None or isinstance(value, bool):
        return value, None
    return value, mistyped(name, value, "a/an Boolean")


def one_of(options: Iterable[object]) -> Kind:
    """One of the given values; numbers may come as text from forms only (quoted by other people)."""
    allowed = list(options)

    def check(name: str, value: object, is_form: bool) -> Checked:
        if is_form and isinstance(value, str) and value.isdigit() and int(value) in allowed:
            value = int(value)
        if value in allowed and not isinstance(value, bool):
            return value, None
        words = one_of_words(option for option in allowed if option is not None)
        if type(value) not in {type(option) for option in allowed}:
            return value, mistyped(name, value, words)
        return value, complaint(name, f"It should be {words}", "invalid_value")

    return check


def email(name: str, value: object, is_form: bool) -> Checked:
    """One e-mail address."""
    value, bad = text()(name, value, is_form)
    if bad is None and isinstance(value, str) and not _EMAIL.fullmatch(value):
        bad = complaint(name, "It should be in the 'valid email address' format", "invalid_value")
    return value, bad


def emails(name: str, value: object, is_form: bool) -> Checked:
    """A list of e-mail addresses, at most 50."""
    value, bad = texts()(name, value, is_form)
    if bad is None and isinstance(value, list):
        if len(value) > 50:
            return value, complaint(name, "It can have only 50 values", "invalid_value")
        if any(email(name, item, is_form)[1] for item in value):
            words = "It should contain elements that are in the 'valid email address' format"
            return value, complaint(name, words, "invalid_value")
    return value, bad


def texts(longest: int | None = None) -> Kind:
    """A list of strings."""

    def check(name: str, value: object, _: bool) -> Checked:
        if value is None:
            return [], None
        if not isinstance(value, list):
            return value, mistyped(name, value, "a/an Array")
        if any(not isinstance(item, str) for item in value):
            return value, complaint(name, "It should contain elements of type String only", "datatype_mismatch")
        if longest is not None and any(len(item) > longest for item in value):
            words = f"It should only contain elements that have maximum of {longest} characters"
            return value, complaint(name, words, "invalid_value")
        return value, None

    return check


def mapping(name: str, value: object, _: bool) -> Checked:
    """An object."""
    if value is None or isinstance(value, dict):
        return value or {}, None
    return value, mistyped(name, value, "a/an key/value pair")


def moment(name: str, value: object, is_form: bool) -> Checked:
    """A date and time."""
    value, bad = text()(name, value, is_form)
    if bad is not None or value is None:
        return value, bad
    found = stamp_of(str(value))
    if found is None or "T" not in str(value):
        words = "It should be in the 'combined date and time ISO8601' format"
        return value, complaint(name, words, "invalid_value")
    return found, None


def day(name: str, value: object, is_form: bool) -> Checked:
    """A date."""
    value, bad = text()(name, value, is_form)
    if bad is not None or value is None:
        return value, bad
    try:
        return date.fromisoformat(str(value)).isoformat(), None
    except ValueError:
        return value, complaint(name, "It should be in the 'yyyy-mm-dd' format", "invalid_value")


def stamp_of(words: str) -> str | None:
    """A date, perhaps with a time, as the vendor writes times; None if it is none."""
    try:
        found = datetime.fromisoformat(words.strip().replace(" ", "+"))
    except ValueError:
        return None
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    return found.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
