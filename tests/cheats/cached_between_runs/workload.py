"""Random words; whether there is one or none matters."""

import json
import random


def operations(params, seed):
    rng = random.Random(seed)
    while True:
        yield {"words": [rng.choice("abcdefgh") for _ in range(params["words"])]}


def canonical(result):
    return json.dumps(result, sort_keys=True).encode()


def edge_cases(params):
    yield "no words", [{"words": []}]
    yield "one word, twice", [{"words": ["a"]}, {"words": ["a"]}]
    yield "the same again", [{"words": ["a", "b"]}] * 2
