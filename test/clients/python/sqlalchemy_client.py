from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
import report


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)


engine = create_engine(
    report.URL.replace("postgresql://", "postgresql+psycopg://"),
    pool_size=report.WORKERS,
    max_overflow=0,
    pool_recycle=report.LIFETIME or -1,
    pool_pre_ping=report.CHECKS,
)


def work() -> str:
    with Session(engine) as session:
        assert session.scalar(select(func.count()).select_from(Order)) > 0
        return session.scalar(select(func.current_user()))


report.run(work)
