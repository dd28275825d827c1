"""psycopg without a pool, as scripts use it: a connection for each piece of work, COPY and LISTEN."""

import psycopg
import report


def work() -> str:
    with psycopg.connect(report.URL) as connection:
        with connection.cursor() as cursor:
            with cursor.copy("copy (select id from orders) to stdout") as copy:
                assert sum(1 for _ in copy.rows()) > 0
            cursor.execute("listen orders")
            cursor.execute("notify orders")
            connection.commit()
            assert len(list(connection.notifies(timeout=5, stop_after=1))) >= 1
            cursor.execute("select current_user")
            return cursor.fetchone()[0]


report.run(work)
