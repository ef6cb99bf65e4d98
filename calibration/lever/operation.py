"""The one operation that all three tools time: orders are read from JSON, completed and written back.

It consists of equal units. `+p %` is real work: the first p of the 100 orders are done a second time, as a careless
loop would; the result stays the same. What does not grow with the units is below 1 % of an operation.
"""

import json

UNITS = 100
ORDER = '{"id": 0, "sku": "a-17", "price": 1299, "quantity": 2}'

decode, encode = json.JSONDecoder().decode, json.JSONEncoder().encode


def complete(number: int) -> int:
    order = decode(ORDER)
    order["id"] = number
    order["total"] = order["price"] * order["quantity"] + number
    return len(encode(order))


def operate(number: int, extra_percent: int = 0) -> int:
    written = {}
    for unit in range(UNITS + extra_percent):
        written[unit % UNITS] = complete(number + unit % UNITS)
    return sum(written.values())
