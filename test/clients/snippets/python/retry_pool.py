import report
from orders_pool import count_orders, pool
from retry import retried


def user() -> str:
    with pool.connection() as connection:
        return connection.execute("select current_user").fetchone()[0]


def work() -> str:
    assert retried(count_orders) > 0
    return retried(user)


report.run(work)
pool.close()
