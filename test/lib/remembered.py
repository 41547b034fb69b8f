"""What a tool made of files, remembered until one of them differs.

An entry stands in the user's cache under a key, which says what was asked of the tool; in it is which files the tool has
read, with what was in them. Those of a clone are named by their way from its root, so that an entry holds wherever a clone
lies. A file that comes to be where the tool looked for one in vain is not noticed.
"""
import hashlib
import json
import os
import tempfile

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
CACHES = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "delegated-ipam")
digests = {}  # of this process: path to what digest() said


def digest(path):
    """Of what is in a file, in short; None where it cannot be read."""
    if path not in digests:
        try:
            with open(path, "rb") as file:
                digests[path] = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            digests[path] = None
    return digests[path]


def key_of(parts):
    """parts: texts. A name of ROOT in them is the same for every clone."""
    return hashlib.sha256("\0".join(part.replace(ROOT, "{ROOT}") for part in parts).encode()).hexdigest()


def in_rule(path):
    """The files that a rule of make says its target depends on: what compilers and linkers write."""
    with open(path) as file:
        rule = file.read().replace("\\\n", " ").split("\n", 1)[0]
    return rule.partition(":")[2].split()


class Cache:
    """Entries in one folder of the cache."""

    def __init__(self, name):
        self.folder = os.path.join(CACHES, name)
        os.makedirs(self.folder, exist_ok=True)

    def path(self, key):
        """Of an entry. What else is kept of it may lie beside it, by the same name with more."""
        return os.path.join(self.folder, key)

    def holds(self, key):
        """True if there is an entry, and all that was read then is the same now."""
        try:
            with open(self.path(key)) as file:
                return all(digest(path.replace("{ROOT}", ROOT)) == known for path, known in json.load(file).items())
        except (OSError, ValueError):
            return False

    def note(self, key, files):
        """Makes the entry; not where one of the files cannot be read."""
        known = {os.path.realpath(path).replace(ROOT, "{ROOT}"): digest(os.path.realpath(path)) for path in files}
        if None in known.values():
            return
        with tempfile.NamedTemporaryFile("w", dir=self.folder, delete=False) as file:
            json.dump(known, file)
        os.rename(file.name, self.path(key))
