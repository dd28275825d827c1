from psycopg_pool import ConnectionPool
import report

options = {"max_lifetime": report.LIFETIME} if report.LIFETIME else {}
check = {"check": ConnectionPool.check_connection} if report.CHECKS else {}
with ConnectionPool(report.URL, min_size=1, max_size=report.WORKERS, **options, **check) as pool:

    def work() -> str:
        with pool.connection() as connection:
            query = "select current_user from orders where id > %s"
            return connection.execute(query, (0,)).fetchone()[0]

    report.run(work)
