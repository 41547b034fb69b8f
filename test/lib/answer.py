"""Compares what a plugin answered with what was expected of it.

An expected JSON value may hold stand-ins where the exact text is not the point.
"""
import json
import re


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


def documents(text):
    """stdout as one JSON value: None when empty, a list when several documents follow each other."""
    decoder, found, rest = json.JSONDecoder(), [], text.strip()
    while rest:
        value, end = decoder.raw_decode(rest)
        found.append(value)
        rest = rest[end:].lstrip()
    return None if not found else found[0] if len(found) == 1 else found
