"""Providers over real connections: sessions of SQLAlchemy, and a file of what has happened."""

import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import skitai
from skitai import WS_CHATTY
from sqlalchemy import Engine, String, create_engine, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from atila import PROVIDED, Atila, Was

app = Atila(__name__)
FOLDER = Path(os.environ["ATILA_BOARD"])


def note(text: str) -> None:
    with (FOLDER / "events").open("a") as file:
        file.write(text + "\n")


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "items"
    name: Mapped[str] = mapped_column(String, primary_key=True)


@app.provide(scope="app")
def engine() -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{FOLDER}/items.db", connect_args={"timeout": 60})
    Base.metadata.create_all(engine)
    note("engine opened")
    yield engine
    engine.dispose()
    note("engine closed")


@app.provide(scope="app")
def broken() -> Iterator[str]:
    yield "broken"
    raise ValueError("this one does not close")


@app.provide(scope="app")
async def async_engine(engine: Engine) -> AsyncIterator[AsyncEngine]:
    made = create_async_engine(f"sqlite+aiosqlite:///{FOLDER}/items.db")
    note("async engine opened")
    yield made
    await made.dispose()
    note("async engine closed")


@app.provide
def db(engine: Engine) -> Iterator[Session]:
    try:
        with Session(engine) as session:
            yield session
    finally:
        note("session closed")


@app.provide
async def adb(async_engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
    try:
        async with AsyncSession(async_engine) as session:
            yield session
    finally:
        note("async session closed")


@app.on("startup")
async def started(was: Was, adb: AsyncSession) -> None:
    found = (await adb.scalars(select(Item))).all()
    note(f"startup {len(found)}")


@app.on("shutdown")
def stopped(was: Was) -> None:
    note("shutdown")


@app.route("/items", methods=["GET"])
async def items(was: Was, adb: AsyncSession) -> list[str]:
    return sorted((await adb.scalars(select(Item.name))).all())


@app.route("/items", methods=["POST"])
def add(was: Was, name: str, db: Session, fail: bool = False) -> dict[str, str]:
    db.add(Item(name=name))
    db.flush()
    if fail:
        raise was.Error(409, "not this one")
    db.commit()
    return {"name": name}


@app.route("/generator", coroutine=True)
def generator(was: Was, db: Session) -> Any:
    task = yield was.Thread(names)
    yield ",".join(task.fetch())


def names(db: Session) -> list[str]:
    return sorted(db.scalars(select(Item.name)).all())


@app.route("/stream")
async def stream(was: Was, adb: AsyncSession) -> AsyncIterator[str]:
    import asyncio

    yield "begun\n"
    while True:
        await asyncio.sleep(0.02)
        yield "more\n"


@app.route("/queue")
def queue(was: Was, db: Session) -> Any:
    return was.Queue(produce)


def produce(queue: Any, db: Session) -> None:
    try:
        while True:
            queue.put(",".join(names(db)))
            time.sleep(0.02)
    finally:
        note(f"producer ended with {len(names(db))}")


@app.route("/after")
def after(was: Was) -> str:
    was.after(count)
    was.after(count_later)
    return ""


def count(db: Session = PROVIDED) -> None:
    note(f"after {len(names(db))}")


async def count_later(adb: AsyncSession = PROVIDED) -> None:
    note(f"later {len((await adb.scalars(select(Item.name))).all())}")


@app.permission_handler
def permit(was: Was, permissions: list[str], db: Session) -> bool:
    return permissions[0] in names(db)


@app.route("/mine")
@app.permission_required(["a"])
def mine(was: Was) -> str:
    return "mine"


@app.route("/hers")
@app.permission_required(["b"])
def hers(was: Was) -> str:
    return "hers"


def opened(was: Was, db: Session) -> None:
    note(f"chat opened with {len(names(db))}")


async def closed(was: Was, adb: AsyncSession) -> None:
    note(f"chat closed with {len((await adb.scalars(select(Item.name))).all())}")


@app.route("/chat")
@app.websocket(WS_CHATTY, 60, onopen=opened, onclose=closed)
def chat(was: Was, db: Session) -> Any:
    message = yield
    while message:
        message = yield ",".join(names(db))


@app.route("/listed", methods=["POST"])
async def listed(was: Was, adb: AsyncSession) -> list[str]:
    return await items(was, adb)


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000, name="provided")
