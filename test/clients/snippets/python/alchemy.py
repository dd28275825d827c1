import report
from orders_alchemy import count_orders, engine
from sqlalchemy import text


def work() -> str:
    assert count_orders() > 0
    with engine.connect() as connection:
        return connection.scalar(text("select current_user"))


report.run(work)
