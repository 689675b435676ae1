"""Commands to begin with: demo, init, sandbox."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path

import click

from connector import plugins
from connector.cli import say
from connector.errors import ConnectorError

_ALSO = {"webhook": {"token"}, "listening": {"preset", "hook_password"}}
"""What a source needs though its options leave a choice: of several ways to be called, the usual one."""

_SECRET_WORDS = {
    "FEED_TOKEN": "# Think of one (openssl rand -hex 24): callers of /hooks/feed send it as bearer token\n",
}

_DESKS = {
    "zendesk": """\
  desk:
    type: zendesk
    base_url: https://{account}.zendesk.com
    email: {email}
    api_token: !env ZENDESK_API_TOKEN
    webhook_secret: !env ZENDESK_WEBHOOK_SECRET ""
""",
    "freshdesk": """\
  desk:
    type: freshdesk
    base_url: https://{account}.freshdesk.com
    api_key: !env FRESHDESK_API_KEY
    webhook_secret: !env FRESHDESK_WEBHOOK_SECRET ""
""",
}

_DESK_SECRETS = {
    "zendesk": """\
ZENDESK_API_TOKEN=
# Of the webhook (`connector doctor` makes it); without it answers are found by polling, a minute or two later
ZENDESK_WEBHOOK_SECRET=
""",
    "freshdesk": """\
# Freshdesk: Profile settings → View API key, of the agent that shall write
FRESHDESK_API_KEY=
# Think of one (openssl rand -hex 24): the automation rule's webhook sends it, `connector doctor` says how.
# Without it answers are found by polling, a minute or two later
FRESHDESK_WEBHOOK_SECRET=
""",
}

_CONFIG = """\
# The whole configuration, commented: config.example.yaml. Secrets stand in .env or come from files (!file PATH).
store: sqlite:///connector.db
server:
  listen: 127.0.0.1:8080
  # public_url: https://connector.acme.example   # how the world reaches it, once your web server passes /hooks/ on
mappings: mappings/

helpdesks:
{desk}
sources:
{sources}"""

_ANSWERS = """\
# Your answers to the four questions of `connector init`, as rules of your own. Change it as you like; what the other
# files set, this one may overrule. How fast you answer stands in 35-deadlines.yaml.
rules:
  - name: what we look out for
    when: {{text: {{words: [{words}]}}}}
    set: {{tags: [expected_topic]}}

  - name: unhappy customers
    when: {{tone: [negative, very_negative]}}
    set: {{tags: [{escalation}]}}
"""


@click.command()
@click.option(
    "--helpdesk", type=click.Choice(("zendesk", "freshdesk")), default="zendesk", show_default=True,
    help="Whose sandbox the tickets are in.",
)  # fmt: skip
@click.option("--fast", is_flag=True, help="Do not wait between mentions.")
@click.option("--keep", is_flag=True, help="Leave the sandbox running afterwards, to look at its tickets.")
def demo(helpdesk: str, fast: bool, keep: bool) -> None:
    """See the main job work, without credentials.

    Mentions become tickets in a sandbox, agents answer them, the answers arrive where people asked. All of it on this
    machine, and nothing is left behind.
    """
    from connector.demo import show

    show(helpdesk, fast=fast, keep=keep)


@click.command()
@click.option("--platforms", help="Where people speak, by comma: names that `connector sources list` shows.")
@click.option("--topics", help="What feedback you expect: words, by comma.")
@click.option("--hours", type=click.IntRange(1, 72), help="How fast you answer, in hours.")
@click.option("--unhappy", help="Who takes over when somebody stays unhappy: a tag your views watch.")
@click.option("--helpdesk", type=click.Choice(list(_DESKS)), help="Where your tickets live.")
@click.option("--subdomain", help="Of your helpdesk: the acme in acme.zendesk.com or acme.freshdesk.com.")
@click.option("--email", help="Zendesk: of the user the API token belongs to.")
@click.option("--yes", is_flag=True, help="Ask nothing, take the defaults.")
@click.option("--force", is_flag=True, help="Write over files that are there.")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path())
def init(
    folder: Path,
    platforms: str | None,
    topics: str | None,
    hours: int | None,
    unhappy: str | None,
    helpdesk: str | None,
    subdomain: str | None,
    email: str | None,
    yes: bool,
    force: bool,
) -> None:
    """Write a configuration to begin with, after four questions.

    They are the first four options below; which helpdesk is yours is asked too. Into FOLDER (default: this one):
    config.yaml, mappings/ with tests, and .env.example for the secrets.
    """
    ours = [folder / "config.yaml", folder / ".env.example", folder / "mappings" / "90-ours.yaml"]
    present = [str(file) for file in (*ours, folder / "mappings" / "20-rules.yaml") if file.exists()]
    if present and not force:
        raise ConnectorError(f"there already: {', '.join(present)}; use --force to write over them")

    def ask(question: str, given: str | None, default: str) -> str:
        if given is not None or yes:
            return given if given is not None else default
        return str(click.prompt(question, default=default, err=True))

    chosen = _chosen(ask("1. On which platforms do you want to listen?", platforms, "webhook,rss,manual"))
    words = ask("2. What feedback do you expect (words, by comma)?", topics, "delivery, доставка, price, цена")
    speed = hours or (8 if yes else int(click.prompt("3. How fast can you answer, in hours?", default=8, err=True)))
    tag = ask("4. Who takes over when somebody stays unhappy (a tag)?", unhappy, "team_lead")
    kind = helpdesk or _helpdesk(yes)
    account = _subdomain(ask(f"{kind.capitalize()} subdomain?", subdomain, "acme"))
    usual = f"bot@{account}.com"
    user = (ask("E-mail of its API user?", email, usual).strip() or usual) if kind == "zendesk" else ""
    desk = _DESKS[kind].format(
        account=account,
        email=user if re.fullmatch(r"[\w.+-]+@[\w.-]+", user) else json.dumps(user, ensure_ascii=False),
    )
    sources = "\n".join(_example()[platform] for platform in chosen)
    texts = (
        _CONFIG.format(desk=desk, sources=sources),
        _env_example(kind, sources),
        _ANSWERS.format(
            words=", ".join(_quoted(word.strip()) for word in words.split(",") if word.strip()) or '"help"',
            escalation=_tag(tag),
        ),
    )
    with resources.as_file(resources.files("connector") / "mappings") as shipped:
        shutil.copytree(shipped, folder / "mappings", dirs_exist_ok=True)
    _set_speed(folder / "mappings" / "35-deadlines.yaml", speed)
    for file, text in zip(ours, texts, strict=True):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        say.data(f"wrote {file}")
    say.data(f"wrote {folder / 'mappings'}/ with its tests")
    say.notice("next: copy .env.example to .env and fill it in, then: connector doctor && connector test")


def _set_speed(file: Path, hours: int) -> None:
    """Writes the usual deadline: late after half as long again, never after three times as long or a day. An hour
    before a target of one hour would be at once."""
    usual = f"target: {hours}h, breach: {hours + (hours + 1) // 2}h, ceiling: {max(24, 3 * hours)}h"
    usual += ", remind_before: 15min}" if hours == 1 else "}"
    text = file.read_text(encoding="utf-8")
    file.write_text(re.sub(r"(?<=name: usual, )target: .*\}", usual, text), encoding="utf-8")


def _chosen(text: str) -> list[str]:
    chosen = [word.strip().lower() for word in text.split(",") if word.strip()]
    known = _example()
    for word in chosen:
        if word not in known:
            raise ConnectorError(f'"{word}" is not a platform we know; there are {", ".join(known)}')
    return list(dict.fromkeys(chosen)) or ["webhook"]


@cache
def _example() -> dict[str, str]:
    """Of each source in config.example.yaml what it cannot do without, by its type: the lines of keys that have no
    default, switched on."""
    text = (resources.files("connector") / "config.example.yaml").read_text(encoding="utf-8")
    section = re.split(r"^sources:$", text, flags=re.MULTILINE)[1].partition("\n# ---")[0]
    found: dict[str, str] = {}
    for block in re.split(r"\n\n(?=  # )", section):
        lines = [_switched_on(line) for line in block.strip("\n").splitlines()]
        kind = next(line.split()[1] for line in lines if line.startswith("    type: "))
        options = plugins.source_class(kind).Options.model_json_schema()
        needed = {"type", "helpdesk", *options["required"], *_ALSO.get(kind, ())}
        kept = [line for line in lines if line[:4] != "    " or line.strip().partition(":")[0] in needed]
        found[kind] = "\n".join(kept) + "\n"
    return found


def _switched_on(line: str) -> str:
    """A line of the example as one that counts: a secret has no default, and what explains it stands near."""
    line = re.sub(r"^( *)#(?=[a-z_]+:)", r"\1", line.rstrip())
    line = re.sub(r"(!env \w+) [^#]*?(?= *#|$)", r"\1", line)
    return re.sub(r"(?<=\S) +# ", "  # ", line).removesuffix(" …")


def _helpdesk(yes: bool) -> str:
    if yes:
        return "zendesk"
    choice = click.Choice(list(_DESKS), case_sensitive=False)
    return str(click.prompt("Zendesk or Freshdesk?", type=choice, default="zendesk", show_choices=False, err=True))


def _env_example(helpdesk: str, sources: str) -> str:
    names = dict.fromkeys(re.findall(r"!env (\w+)", sources))
    head = "# Copy to .env; connector reads it beside config.yaml. Never commit .env.\n"
    return head + _DESK_SECRETS[helpdesk] + "".join(f"{_SECRET_WORDS.get(name, '')}{name}=\n" for name in names)


def _subdomain(text: str) -> str:
    """The acme of acme.zendesk.com, however it was typed: people paste the whole address."""
    host = re.sub(r"^https?://", "", text.strip().lower()).split("/")[0]
    host = host.removesuffix(".zendesk.com").removesuffix(".freshdesk.com")
    return re.sub(r"[^a-z0-9-]+", "-", host).strip("-") or "acme"


def _tag(text: str) -> str:
    return "_".join(re.findall(r"[\w-]+", text.lower())) or "team_lead"


def _quoted(word: str) -> str:
    return json.dumps(word, ensure_ascii=False)


@click.group()
def sandbox() -> None:
    """A pretended helpdesk on this machine, to try things on."""


@sandbox.command("zendesk")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8090, show_default=True, help="Port to listen on; 0 takes a free one.")
@click.option("--data", type=click.Path(dir_okay=False, path_type=Path), help="Keep the account in this file.")
@click.option("--webhook-url", help="Call this on every change, as Zendesk's webhooks do.")
@click.option("--webhook-secret", help="The secret those calls are signed with.")
def sandbox_zendesk(
    host: str, port: int, data: Path | None, webhook_url: str | None, webhook_secret: str | None
) -> None:
    """Run a Zendesk account: its API, and a page for agents.

    It misbehaves on demand (PUT /_sandbox/faults). Log in as admin@example.com or agent@example.com with the token
    `sandbox`.
    """
    from connector.testing.simulators.zendesk import serve

    def ready(address: str) -> None:
        say.data(address)
        say.notice(f"tickets for a person: {address}/ · API: {address}/api/v2 · admin@example.com, token sandbox")

    with _served(host, port):
        serve(host, port, data, webhook_url=webhook_url, webhook_secret=webhook_secret, ready=ready)


@sandbox.command("freshdesk")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8091, show_default=True, help="Port to listen on; 0 takes a free one.")
@click.option("--data", type=click.Path(dir_okay=False, path_type=Path), help="Keep the account in this file.")
@click.option("--webhook-url", help="Call this on every change, as an automation rule does.")
@click.option("--webhook-secret", help="Sent along with those calls; they are not signed.")
@click.option("--webhook-header", default="X-Connector-Secret", show_default=True, help="The header it is sent in.")
def sandbox_freshdesk(
    host: str, port: int, data: Path | None, webhook_url: str | None, webhook_secret: str | None, webhook_header: str
) -> None:
    """Run a Freshdesk account: its API, and a page for agents.

    It misbehaves on demand: PUT /_sandbox/faults.

    The API key `sandbox` is an admin's, `sandbox-agent` an agent's.
    """
    from connector.testing.simulators.freshdesk import serve

    def ready(address: str) -> None:
        say.data(address)
        say.notice(f"tickets for a person: {address}/ · API: {address}/api/v2 · API key: sandbox")

    with _served(host, port):
        serve(host, port, data, webhook_url, webhook_secret, ready=ready, webhook_header=webhook_header)


@contextlib.contextmanager
def _served(host: str, port: int) -> Iterator[None]:
    """A sandbox runs until Ctrl-C; where it cannot listen, that is said."""
    try:
        yield
    except KeyboardInterrupt:
        pass
    except OSError as error:
        raise ConnectorError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; --port 0 takes a free one"
        ) from None


COMMANDS = (demo, init, sandbox)
