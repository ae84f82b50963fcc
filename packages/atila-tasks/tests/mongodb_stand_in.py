"""A stand-in for MongoDB, which no wheel has: its wire protocol over documents of mongomock.

    python mongodb_stand_in.py    prints the port that it listens on, and serves until it is killed

It knows the commands that the tests need (OP_MSG of MongoDB's wire protocol), no users, no TLS.
"""

from __future__ import annotations

import asyncio
import itertools
import struct
from typing import Any

import bson
import mongomock
from mongomock.write_concern import WriteConcern

HEAD = struct.Struct("<iiii")
OP_MSG = 2013
BODY, SEQUENCE = 0, 1
FIRST_BATCH = 101

store = mongomock.MongoClient()
cursors: dict[int, list[Any]] = {}
numbers = itertools.count(1)


def hello(database: Any, command: dict[str, Any]) -> dict[str, Any]:
    return {
        "isWritablePrimary": True,
        "maxBsonObjectSize": 16 * 1024 * 1024,
        "maxMessageSizeBytes": 48_000_000,
        "maxWriteBatchSize": 100_000,
        "minWireVersion": 0,
        "maxWireVersion": 21,
        "logicalSessionTimeoutMinutes": 30,
        "readOnly": False,
    }


def insert(database: Any, command: dict[str, Any]) -> dict[str, Any]:
    done, failed = 0, []
    for number, document in enumerate(command["documents"]):
        try:
            database[command["insert"]].insert_one(document)
            done += 1
        except mongomock.DuplicateKeyError as error:
            failed.append({"index": number, "code": 11000, "errmsg": str(error)})
            break
    return {"n": done} | ({"writeErrors": failed} if failed else {})


def update(database: Any, command: dict[str, Any]) -> dict[str, Any]:
    matched = modified = 0
    for each in command["updates"]:
        collection = database[command["update"]]
        way = collection.update_many if each.get("multi") else collection.update_one
        if not next(iter(each["u"])).startswith("$"):
            way = collection.replace_one
        result = way(each["q"], each["u"], upsert=each.get("upsert", False))
        matched += result.matched_count
        modified += result.modified_count or 0
    return {"n": matched, "nModified": modified}


def delete(database: Any, command: dict[str, Any]) -> dict[str, Any]:
    count = 0
    for each in command["deletes"]:
        collection = database[command["delete"]]
        way = collection.delete_one if each.get("limit") else collection.delete_many
        count += way(each["q"]).deleted_count
    return {"n": count}


def find(database: Any, command: dict[str, Any]) -> dict[str, Any]:
    found = database[command["find"]].find(command.get("filter"), command.get("projection"))
    if command.get("sort"):
        found = found.sort(list(command["sort"].items()))
    documents = list(found.skip(command.get("skip", 0)).limit(abs(command.get("limit", 0))))
    return opened(database, command["find"], documents)


def aggregate(database: Any, command: dict[str, Any]) -> dict[str, Any]:
    name = command["aggregate"]
    return opened(database, name, list(database[name].aggregate(command["pipeline"])))


def opened(database: Any, name: str, documents: list[Any]) -> dict[str, Any]:
    rest = documents[FIRST_BATCH:]
    number = next(numbers) if rest else 0
    if rest:
        cursors[number] = rest
    batch = documents[:FIRST_BATCH]
    return {"cursor": {"id": number, "ns": f"{database.name}.{name}", "firstBatch": batch}}


def get_more(database: Any, command: dict[str, Any]) -> dict[str, Any]:
    namespace = f"{database.name}.{command['collection']}"
    rest = cursors.pop(command["getMore"])
    return {"cursor": {"id": 0, "ns": namespace, "nextBatch": rest}}


def nothing(database: Any, command: dict[str, Any]) -> dict[str, Any]:
    return {}


COMMANDS = {
    "hello": hello,
    "ismaster": hello,
    "isMaster": hello,
    "ping": nothing,
    "endSessions": nothing,
    "insert": insert,
    "update": update,
    "delete": delete,
    "find": find,
    "aggregate": aggregate,
    "getMore": get_more,
}


def carry_out(command: dict[str, Any]) -> dict[str, Any]:
    name = next(iter(command))
    if name not in COMMANDS:
        return {"ok": 0.0, "code": 59, "codeName": "CommandNotFound", "errmsg": f"no {name}"}
    database = store.get_database(command["$db"], write_concern=WriteConcern())
    try:
        return {**COMMANDS[name](database, command), "ok": 1.0}
    except Exception as error:
        return {"ok": 0.0, "code": 2, "codeName": "BadValue", "errmsg": str(error)}


def parse(message: bytes) -> dict[str, Any]:
    """The command of an OP_MSG: its body, with the sequences of documents in it."""
    position, command = 4, {}
    while position < len(message):
        kind = message[position]
        (size,) = struct.unpack_from("<i", message, position + 1)
        piece = message[position + 1 : position + 1 + size]
        if kind == BODY:
            command = {**bson.decode(piece), **command}
        elif kind == SEQUENCE:
            end = piece.index(b"\0", 4)
            command[piece[4:end].decode()] = bson.decode_all(piece[end + 1 :])
        position += 1 + size
    # The command's own name has to be the first.
    return dict(sorted(command.items(), key=lambda item: item[0] not in COMMANDS))


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            size, request, _, code = HEAD.unpack(await reader.readexactly(HEAD.size))
            message = await reader.readexactly(size - HEAD.size)
            if code == OP_MSG:
                answer = carry_out(parse(message))
                body = struct.pack("<iB", 0, BODY) + bson.encode(answer)
                head = HEAD.pack(HEAD.size + len(body), 0, request, OP_MSG)
            else:
                # The first message of a connection may be of the old kind, OP_QUERY.
                body = struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(
                    {**hello(None, {}), "ok": 1.0}
                )
                head = HEAD.pack(HEAD.size + len(body), 0, request, 1)
            writer.write(head + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
