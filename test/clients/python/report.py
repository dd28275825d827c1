"""What every client program does around its driver: keep time, count, and say what failed."""

import json
import os
import random
import threading
import time

URL = os.environ.get("DATABASE_URL", "")
"""With a user and a password that the server does not know."""

LIFETIME = float(os.environ["LIFETIME_SECONDS"])
"""The maximum lifetime of a pooled connection; 0: none."""

CHECKS = os.environ["CHECK_ON_BORROW"] == "1"
WORKERS = int(os.environ["WORKERS"])

_lock = threading.Lock()
_users: set[str] = set()
_statements = 0


def login_in(secret: str) -> dict[str, object]:
    """What psycopg connects with, of a secret's text."""
    fields = json.loads(secret)
    return {"user": fields["username"]} | {
        name: fields[name] for name in ("password", "host", "port", "dbname")
    }


def goes_on() -> bool:
    return not os.path.exists(os.environ["END_FILE"])


def pause() -> float:
    shortest, longest = (float(os.environ[f"{name}_PAUSE_SECONDS"]) for name in ("MIN", "MAX"))
    return random.uniform(shortest, longest)


def did(user: str, statements: int = 1) -> None:
    global _statements
    with _lock:
        if _statements == 0:
            print("ready", flush=True)
        _statements += statements
        if user not in _users:
            print(f"user {user}", flush=True)
        _users.add(user)


def failed(error: BaseException) -> None:
    words = str(error).split("\n")[0]
    # SQLAlchemy and Django wrap the driver's error
    below = getattr(error, "orig", None) or error.__cause__
    state = getattr(error, "sqlstate", None) or getattr(below, "sqlstate", None) or ""
    with _lock:
        print(f"failed {type(error).__name__} {state} {words}", flush=True)


def done() -> None:
    print(f"done {_statements} {','.join(sorted(_users))}", flush=True)


def run(work) -> None:
    """Repeat `work` in threads until the end. It answers with the user, or throws."""

    def worker() -> None:
        while goes_on():
            try:
                did(work())
            except Exception as error:
                failed(error)
            time.sleep(pause())

    threads = [threading.Thread(target=worker) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done()
