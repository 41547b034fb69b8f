"""Compares what a plugin answered with what was expected of it.

An expected JSON value may hold stand-ins where the exact text is not the point.
"""
import json
import re
from decimal import Decimal


class Begins(str):
    """Stands for any longer text that begins so."""


class Pattern(str):
    """Stands for any text that this regular expression describes wholly."""


def same(expected, got):
    """Whether a JSON value is the expected one; 1 and 1.0 and true are not the same."""
    if isinstance(expected, Pattern):
        return isinstance(got, str) and re.fullmatch(expected, got) is not None
    if isinstance(expected, Begins):
        return isinstance(got, str) and got.startswith(expected) and len(got) > len(expected)
    if isinstance(expected, dict) and isinstance(got, dict):
        return expected.keys() == got.keys() and all(same(value, got[key]) for key, value in expected.items())
    if isinstance(expected, list) and isinstance(got, list):
        return len(expected) == len(got) and all(map(same, expected, got))
    return type(expected) is type(got) and expected == got


def exact_json(text):
    """A JSON text as a value in which a whole number is an int, however it is written: 1e2 is 100.

    Errors: ValueError for a text that is not JSON.
    """

    def number(digits):
        value = Decimal(digits)
        is_whole = value.adjusted() < 40 and value == value.to_integral_value()
        return int(value) if is_whole else float(digits)

    return json.loads(text, parse_float=number)


def documents(text):
    """stdout as one JSON value: None when empty, a list when several documents follow each other."""
    decoder, found, rest = json.JSONDecoder(), [], text.strip()
    while rest:
        value, end = decoder.raw_decode(rest)
        found.append(value)
        rest = rest[end:].lstrip()
    return None if not found else found[0] if len(found) == 1 else found
