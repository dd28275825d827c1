"""asyncpg's pool has no maximum lifetime: the application lets its connections expire."""

import asyncio
import asyncpg
import report


async def worker(pool: asyncpg.Pool) -> None:
    while report.goes_on():
        try:
            query = "select current_user from orders where id > $1"
            report.did(await pool.fetchval(query, 0))
        except Exception as error:
            report.failed(error)
        await asyncio.sleep(report.pause())


async def expire(pool: asyncpg.Pool) -> None:
    while report.LIFETIME:
        await asyncio.sleep(report.LIFETIME)
        await pool.expire_connections()


async def main() -> None:
    async with asyncpg.create_pool(report.URL, min_size=1, max_size=report.WORKERS) as pool:
        expiring = asyncio.create_task(expire(pool))
        await asyncio.gather(*(worker(pool) for _ in range(report.WORKERS)))
        expiring.cancel()


asyncio.run(main())
report.done()
