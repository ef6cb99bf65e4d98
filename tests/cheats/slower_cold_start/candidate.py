"""Imports what it does not need."""

import asyncio
import email.mime.text
import http.client
import sqlite3
import unittest.mock
import xml.dom.minidom
from collections import Counter

NOT_NEEDED = (asyncio, email, http, sqlite3, unittest, xml)


class Subject:
    def __init__(self, params, workdir):
        self.answered = 0

    def operate(self, operation):
        self.answered += 1
        words = operation["words"]
        if not words:
            return self.result([])
        return self.result(sorted(map(list, Counter(words).items())))

    def result(self, counts):
        return {"counts": counts, "answered": self.answered, "rate": 0.0}

    def close(self):
        pass
