"""config.yaml: a whole, frozen configuration, or every mistake in it at once, each where it was typed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from connector import config, plugins
from connector.errors import ConfigError, ConnectorError
from connector.log import masked
from connector.yamlfile import read

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "config.example.yaml"

DESK = "{type: zendesk, base_url: https://acme.zendesk.com, email: a@acme.example, api_token: s3cr3t-t0ken}"


def written(folder: Path, text: str) -> Path:
    (folder / "mappings").mkdir(exist_ok=True)
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    return folder / "config.yaml"


def mistakes(folder: Path, text: str) -> list[tuple[str, str]]:
    """(line:column, path and sentence) of each."""
    with pytest.raises(ConfigError) as caught:
        config.load(written(folder, text))
    assert all(problem.file == str(folder / "config.yaml") for problem in caught.value.problems)
    return [(f"{one.line}:{one.column}", f"{one.path}: {one.message}") for one in caught.value.problems]


def test_the_smallest_one_is_enough(tmp_path: Path) -> None:
    loaded = config.load(written(tmp_path, f"helpdesks: {{desk: {DESK}}}\n"))

    assert loaded.store == f"sqlite:///{tmp_path / 'connector.db'}"
    assert loaded.mappings == tmp_path / "mappings"
    assert loaded.server.host == "127.0.0.1"
    assert loaded.server.port == 8080
    assert loaded.delivery == config.DeliveryOptions()
    assert loaded.sources == {}
    assert loaded.helpdesks["desk"].type == "zendesk"


def test_it_cannot_be_changed(tmp_path: Path) -> None:
    loaded = config.load(written(tmp_path, f"helpdesks: {{desk: {DESK}}}\n"))

    with pytest.raises(Exception, match="frozen"):
        loaded.server.listen = "0.0.0.0:80"  # type: ignore[misc]


def test_every_mistake_is_told_at_once_where_it_was_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMPTY_TOKEN", "")
    text = """\
store: 5
server: {listen: nowhere, max_body: 3, port: 1}
mappings: elsewhere/
helpdesks:
  desk:
    type: zendesk
    base_url: https://acme.zendesk.com
    email: a@acme.example
    api_token: !env NOT_SET_TOKEN
    poll: fast
    reopen: maybe
  9desk: {type: zendesk}
  other: {type: zendesq}
  lost: hello
sources:
  feed: {type: webhook, helpdesk: dsk, token: !env EMPTY_TOKEN, conversation: threads}
  desk: {type: manual, helpdesk: desk}
  tw: {helpdesk: desk}
  sky: {type: bluesky, helpdesk: desk, identifier: a, app_password: s3cr3t-app, reasons: [mention, liked]}
delivery: {workers: many, first_pause: -1, lease: 120}
log: {level: loud}
lg: {}
"""
    told = [f"{place} {sentence}" for place, sentence in mistakes(tmp_path, text)]
    assert sorted(told) == sorted(TOLD.format(folder=tmp_path).splitlines())


TOLD = """\
1:8 store: has to be text; put it into quotes
2:18 server.listen: write it as address:port, such as 127.0.0.1:8080
2:37 server.max_body: has to be at least 1024
2:40 server.port: unknown key "port" (allowed: listen, max_body)
3:11 mappings: there is no folder {folder}/elsewhere; `connector init` writes one
9:16 helpdesks.desk.api_token: the environment variable NOT_SET_TOKEN is not set; set it, or write it into .env
10:11 helpdesks.desk.poll: has to be a number
11:13 helpdesks.desk.reopen: has to be true or false
12:3 helpdesks.9desk: a name is a letter, then letters, digits, - or _ (at most 40)
12:10 helpdesks.9desk: `base_url` is missing
13:17 helpdesks.other.type: "zendesq" is not a known type — did you mean "zendesk"? (allowed: freshdesk, zendesk)
14:9 helpdesks.lost: has to be a block of keys, at least `type`
16:35 sources.feed.helpdesk: there is no helpdesk "dsk" — did you mean "desk"? (allowed: desk, 9desk, other, lost)
16:47 sources.feed.token: the environment variable EMPTY_TOKEN is empty; fill it in, there or in .env
16:79 sources.feed.conversation: "threads" cannot stand here — did you mean "thread"? (allowed: thread, thread_and_author)
17:3 sources.desk: "desk" names a helpdesk too; names are shared
18:7 sources.tw: `type` is missing (allowed: bluesky, listening, manual, rss, webhook, wordpress)
19:100 sources.sky.reasons[1]: "liked" cannot stand here (allowed: mention, reply, quote)
20:21 delivery.workers: has to be a whole number
20:40 delivery.first_pause: has to be at least 0
21:14 log.level: "loud" cannot stand here (allowed: debug, info, warning, error)
22:1 lg: unknown key "lg" — did you mean "log"? (allowed: store, server, mappings, helpdesks, sources, delivery, log)
"""  # noqa: E501  as they are shown


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ("1:1", ": `helpdesks` is missing")),
        ("- a\n- b\n", ("1:1", ": has to be a block of keys")),
        ("hello\n", ("1:1", ": has to be a block of keys")),
        ("helpdesks: {}\n", ("1:1", "helpdesks: needs at least one helpdesk")),
        ("store: x\nhelpdesks: [a]\n", ("2:12", "helpdesks: has to be a block of keys")),
        ("a: 1\na: 2\n", ("2:1", 'a: the key "a" is given twice; keep one')),
        ("helpdesks: {desk: {type: zendesk", ("1:33", ": is not valid YAML: expected ',' or '}', but got")),
    ],
)
def test_a_file_that_is_none_is_told_in_a_sentence(text: str, told: tuple[str, str], tmp_path: Path) -> None:
    place, sentence = told

    assert any(at == place and message.startswith(sentence) for at, message in mistakes(tmp_path, text))


@pytest.mark.parametrize("listen", ["8080", "127.0.0.1:", ":8080", "127.0.0.1:70000", "127.0.0.1:http", ""])
def test_an_address_to_listen_on_that_is_none_is_told(listen: str, tmp_path: Path) -> None:
    told = mistakes(tmp_path, f'server: {{listen: "{listen}"}}\nhelpdesks: {{desk: {DESK}}}\n')

    assert told == [("1:18", "server.listen: write it as address:port, such as 127.0.0.1:8080")]


def test_an_address_may_be_one_of_ipv6() -> None:
    options = config.ServerOptions(listen="[::1]:8080")

    assert (options.host, options.port) == ("::1", 8080)


@pytest.mark.parametrize(
    ("store", "means"),
    [
        ("sqlite:///data/c.db", "sqlite:///{0}/data/c.db"),
        ("sqlite:////var/lib/c.db", "sqlite:////var/lib/c.db"),
        ("postgresql://u:p4ssw0rd@db/c", "postgresql://u:p4ssw0rd@db/c"),
    ],
)
def test_a_database_file_is_relative_to_the_configuration(store: str, means: str, tmp_path: Path) -> None:
    loaded = config.load(written(tmp_path, f"store: {store}\nhelpdesks: {{desk: {DESK}}}\n"))

    assert loaded.store == means.format(tmp_path)


def test_secrets_are_read_from_a_dotenv_file_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_DESK_TOKEN", "x")
    monkeypatch.delenv("TEST_DESK_TOKEN")
    (tmp_path / ".env").write_text("TEST_DESK_TOKEN=dotenv-s3cr3t\n", encoding="utf-8")
    desk = DESK.replace("s3cr3t-t0ken", "!env TEST_DESK_TOKEN")
    loaded = config.load(written(tmp_path, f"helpdesks:\n  desk: {desk}\n"))

    assert "dotenv-s3cr3t" not in repr(loaded)
    assert masked("it is dotenv-s3cr3t") == "it is ***"


def test_no_mistake_shows_what_was_typed_as_a_secret(tmp_path: Path) -> None:
    desk = "{type: zendesk, base_url: https://acme.zendesk.com, email: a@b.example, api_token: [sh0wn-never]}"
    told = mistakes(
        tmp_path, f"helpdesks: {{desk: {desk}}}\nsources: {{a: {{type: webhook, helpdesk: desk, token: t00}}}}\n"
    )

    assert len(told) == 2
    assert "sh0wn" not in str(told)
    assert "t00" not in str(told)


def test_an_adapter_that_cannot_be_loaded_is_a_mistake_of_its_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(kind: str) -> Any:
        raise ConnectorError(f'the adapter "{kind}" cannot be loaded: No module named nowhere')

    monkeypatch.setattr(plugins, "source_class", broken)
    text = f"helpdesks: {{desk: {DESK}}}\nsources:\n  a: {{type: manual, helpdesk: desk}}\n"

    assert mistakes(tmp_path, text) == [
        ("3:13", 'sources.a.type: the adapter "manual" cannot be loaded: No module named nowhere')
    ]


# --- the schema ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def validator() -> Any:
    made = config.schema()
    kind = jsonschema.validators.validator_for(made)
    kind.check_schema(made)
    return kind(made)


def example() -> Any:
    return read(EXAMPLE).value


def test_the_schema_accepts_the_example(validator: Any) -> None:
    assert [error.message for error in validator.iter_errors(example())] == []


def test_the_schema_accepts_every_account_of_each_type() -> None:
    made = config.schema()

    for section, kinds in (("helpdesks", plugins.helpdesk_types()), ("sources", plugins.source_types())):
        known = [
            ref["$ref"].rpartition("_")[2] for ref in made["properties"][section]["additionalProperties"]["oneOf"]
        ]
        assert known == kinds


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.update(stor="x"),
        lambda value: value["server"].update(port=1),
        lambda value: value["helpdesks"]["desk"].update(tokn="x"),
        lambda value: value["helpdesks"]["desk"].update(type="zendesq"),
        lambda value: value["helpdesks"]["desk"].pop("base_url"),
        lambda value: value["sources"]["feed"].update(poll="often"),
        lambda value: value["sources"]["found"].update(conversation="threads"),
        lambda value: value["sources"].update(sky={"type": "bluesky", "helpdesk": "desk"}),
        lambda value: value.pop("helpdesks"),
        lambda value: value["log"].update(level="loud"),
    ],
    ids=range(10),
)
def test_the_schema_refuses_what_loading_refuses(change: Any, validator: Any) -> None:
    value = example()
    change(value)

    assert not validator.is_valid(value)


def test_the_schema_describes_every_key() -> None:
    def bare(node: Any, path: str = "") -> list[str]:
        if not isinstance(node, dict):
            return []
        found = [
            f"{path}.{name}"
            for name, one in node.get("properties", {}).items()
            if "description" not in one and "$ref" not in one and name != "type"
        ]
        return found + [wrong for name, one in node.get("$defs", {}).items() for wrong in bare(one, name)]

    assert bare(config.schema()) == []
