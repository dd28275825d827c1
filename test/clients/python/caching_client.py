"""boto3 with AWS's cache in front of it, which a pool asks whenever it makes a connection."""

import os
import boto3
from aws_secretsmanager_caching import SecretCache, SecretCacheConfig
from psycopg_pool import ConnectionPool
import report

config = SecretCacheConfig(secret_refresh_interval=int(os.environ["CLIENT_CACHE_SECONDS"]))
cache = SecretCache(config=config, client=boto3.client("secretsmanager"))


def login() -> dict[str, object]:
    return report.login_in(cache.get_secret_string(os.environ["SECRET_ID"]))


with ConnectionPool(
    kwargs=login, min_size=1, max_size=report.WORKERS, max_lifetime=report.LIFETIME
) as pool:

    def work() -> str:
        with pool.connection() as connection:
            query = "select current_user from orders where id > %s"
            return connection.execute(query, (0,)).fetchone()[0]

    report.run(work)
