"""The GET that AWS's Lambda extension and Secrets Manager Agent answer, with a token."""

import json
import os
import urllib.parse
import urllib.request
from psycopg_pool import ConnectionPool
import report

endpoint = f"http://127.0.0.1:{os.environ['SECRETS_PORT']}"
query = urllib.parse.urlencode({"secretId": os.environ["SECRET_ID"]})


def login() -> dict[str, object]:
    request = urllib.request.Request(f"{endpoint}/secretsmanager/get?{query}")
    request.add_header("X-Aws-Parameters-Secrets-Token", os.environ["SECRETS_TOKEN"])
    with urllib.request.urlopen(request, timeout=30) as answer:
        return report.login_in(json.load(answer)["SecretString"])


with ConnectionPool(
    kwargs=login, min_size=1, max_size=report.WORKERS, max_lifetime=report.LIFETIME
) as pool:

    def work() -> str:
        with pool.connection() as connection:
            query = "select current_user from orders where id > %s"
            return connection.execute(query, (0,)).fetchone()[0]

    report.run(work)
