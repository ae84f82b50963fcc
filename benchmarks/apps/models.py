"""The typed body which is sent and answered, for frameworks that read msgspec's types."""

import msgspec


class Row(msgspec.Struct):
    id: int
    name: str
    price: float
    stock: int


class Stock(msgspec.Struct):
    title: str
    rows: list[Row]
