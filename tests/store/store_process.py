"""Another connector's process, for the tests of the store. Prints one line when it has done what it was asked.

python store_process.py hold URL                 take the database and keep it until standard input ends
python store_process.py kill URL STATEMENT       migrate, and be killed once a statement that begins so was executed
python store_process.py migrate URL COUNT        so many processes migrate at once; prints their exit codes
"""

from __future__ import annotations

import os
import signal
import sys
import traceback

import sqlalchemy as sa

from connector.store import Store


def hold(url: str) -> None:
    """Until standard input ends."""
    store = Store(url)
    store.hold()
    print("held", flush=True)
    sys.stdin.read()
    store.close()


def kill(url: str, statement: str) -> None:
    """In the middle of the migration."""
    store = Store(url)

    def after(_: object, __: object, executed: str, *___: object) -> None:
        if executed.strip().startswith(statement):
            os.kill(os.getpid(), signal.SIGKILL)

    sa.event.listen(store.engine, "after_cursor_execute", after)
    store.migrate()


def migrate(url: str, count: int) -> None:
    """All of them are ready before the first begins."""
    gate, go = os.pipe()
    children = []
    for _ in range(count):
        child = os.fork()
        if child == 0:
            os.close(go)
            os.read(gate, 1)
            code = 1
            try:
                Store(url).migrate()
                code = 0
            except Exception:  # noqa: BLE001 - told by the exit code
                traceback.print_exc()
            os._exit(code)
        children.append(child)
    os.close(go)
    print(*(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children), flush=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["hold", url]:
            hold(url)
        case ["kill", url, statement]:
            kill(url, statement)
        case ["migrate", url, count]:
            migrate(url, int(count))
