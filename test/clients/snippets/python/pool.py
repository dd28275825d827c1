import report
from orders_pool import count_orders, pool


def work() -> str:
    assert count_orders() > 0
    with pool.connection() as connection:
        return connection.execute("select current_user").fetchone()[0]


report.run(work)
pool.close()
