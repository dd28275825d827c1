import asyncio
import asyncpg
import report
from orders_asyncpg import count_orders, serve


async def worker(pool: asyncpg.Pool) -> None:
    while report.goes_on():
        try:
            assert await count_orders(pool) > 0
            report.did(await pool.fetchval("select current_user"))
        except Exception as error:
            report.failed(error)
        await asyncio.sleep(report.pause())


async def workers(pool: asyncpg.Pool) -> None:
    await asyncio.gather(*(worker(pool) for _ in range(report.WORKERS)))


asyncio.run(serve(workers))
report.done()
