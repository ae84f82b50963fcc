"""What the demo stores: an SQLite file, used by Python's own sqlite3 as in any other program."""

import os
import secrets
import sqlite3
import tempfile
from contextlib import contextmanager
from pathlib import Path

ENTRIES = 50
"""How many entries the guest book keeps."""

SCHEMA = """
BEGIN IMMEDIATE;

CREATE TABLE IF NOT EXISTS entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    written TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    name TEXT NOT NULL,
    text TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS measurement (
    city TEXT NOT NULL,
    celsius REAL NOT NULL
);

INSERT INTO measurement
WITH RECURSIVE
    city (name, mean) AS (
        VALUES ('Lagos', 27.0), ('Lima', 19.5), ('Oslo', 6.5), ('Quito', 14.0), ('Seoul', 12.5)
    ),
    number (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number LIMIT 40000)
SELECT name, round(mean + random() % 100 / 10.0, 1) FROM number, city
WHERE NOT EXISTS (SELECT * FROM measurement);

COMMIT;
"""


def prepare():
    """Make the tables. Several workers may call this at once: the first one does it."""
    with connect() as db:
        db.executescript(SCHEMA)


@contextmanager
def connect():
    """A connection for one use; SQLite itself keeps threads and workers apart."""
    db = sqlite3.connect(PATH, timeout=10, isolation_level=None)
    try:
        yield db
    finally:
        db.close()


def mean_temperatures():
    """The mean of 200,000 measurements by city."""
    with connect() as db:
        query = "SELECT city, avg(celsius) FROM measurement GROUP BY city ORDER BY city"
        return dict(db.execute(query).fetchall())


def entries():
    with connect() as db:
        query = "SELECT written, name, text FROM entry ORDER BY id DESC"
        return [
            {"written": written, "name": name, "text": text}
            for written, name, text in db.execute(query)
        ]


def add(name, text):
    with connect() as db:
        db.execute("INSERT INTO entry (name, text) VALUES (?, ?)", (name, text))
        db.execute("DELETE FROM entry WHERE id <= (SELECT max(id) FROM entry) - ?", (ENTRIES,))


def secret():
    """The key of sessions and forms: made once, and the same for all workers."""
    path = PATH.with_name("secret")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text()
    with open(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(32))
    return path.read_text()


def _folder():
    """Where data of the user belongs, or the temporary folder if that cannot be written to."""
    data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    folder = Path(os.environ.get("ATILA_DEMO_DATA") or Path(data, "atila-demo"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        folder = Path(tempfile.gettempdir(), f"atila-demo-{os.getuid()}")
        folder.mkdir(mode=0o700, exist_ok=True)
    return folder


PATH = _folder() / "demo.sqlite3"
