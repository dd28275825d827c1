"""Reads a file of two lines without a pause, and logs in with whatever is new in it. Counts reads."""

import os
import time
from pathlib import Path
import psycopg
import report

path = Path(os.environ["CREDENTIALS_FILE"])
newest = None
reads = 0
while report.goes_on():
    text = path.read_text()
    reads += 1
    user, password, *rest = [*text.split("\n"), ""]
    prefixes = user.startswith("DB_USERNAME=") and password.startswith("DB_PASSWORD=")
    if not prefixes or rest != ["", ""]:
        report.failed(ValueError(f"a part of a file, {len(text)} characters long"))
    elif text != newest:
        try:
            login = {"user": user.partition("=")[2], "password": password.partition("=")[2]}
            with psycopg.connect(**login) as connection:
                query = "select current_user from orders where id > %s"
                user = connection.execute(query, (0,)).fetchone()[0]
            report.did(user, reads)
            newest, reads = text, 0
        except psycopg.Error as error:
            report.failed(error)
            time.sleep(0.1)
report.done()
