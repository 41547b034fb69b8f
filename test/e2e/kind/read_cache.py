"""What a node's clients have read of the Kubernetes API, on disk: objects, and lists of them that watches keep up to
date. Everything is JSON; each file is put in place by a rename.
"""
import hashlib
import json
import os
import threading
from urllib.parse import parse_qsl, urlencode

# They change from request to request, and do not say what is asked for.
VOLATILE = {"allowWatchBookmarks", "limit", "resourceVersion", "resourceVersionMatch", "timeout", "timeoutSeconds",
            "watch", "sendInitialEvents"}


def list_key(path, query):
    """One name for all requests, LIST and WATCH, for the same objects."""
    kept = sorted((name, value) for name, value in parse_qsl(query) if name not in VOLATILE)
    return f"{path}?{urlencode(kept)}" if kept else path


def object_path(collection, item):
    """The path of an object that a list or watch at the path `collection` told of."""
    metadata = item["metadata"]
    if metadata.get("namespace") and "/namespaces/" not in collection:
        prefix, resource = collection.rsplit("/", 1)
        return f"{prefix}/namespaces/{metadata['namespace']}/{resource}/{metadata['name']}"
    return f"{collection}/{metadata['name']}"


class ReadCache:
    """folder: where it lies; what is there already is taken over. May be used by several threads."""

    def __init__(self, folder):
        self._lock = threading.Lock()
        self._folder = folder
        self._objects = self._load("objects")
        self._lists = self._load("lists")

    def put_object(self, path, item):
        with self._lock:
            self._store("objects", self._objects, path, item)

    def put_list(self, key, answer):
        """Remember the answer to a LIST."""
        collection = key.partition("?")[0]
        kind = {"apiVersion": answer["apiVersion"], "kind": answer["kind"][:-len("List")]}
        with self._lock:
            members = []
            for item in answer["items"] or []:
                members.append(object_path(collection, item))
                self._store("objects", self._objects, members[-1], {**kind, **item})
            envelope = {name: value for name, value in answer.items() if name != "items"}
            self._store("lists", self._lists, key, {"envelope": envelope, "members": members})

    def apply(self, key, event):
        """Remember what an event of a WATCH tells; nothing when its list was never asked for."""
        with self._lock:
            known = self._lists.get(key)
            if not known or event["type"] == "ERROR":
                return
            item = event["object"]
            members = known["members"]
            if event["type"] != "BOOKMARK":
                path = object_path(key.partition("?")[0], item)
                members = [one for one in members if one != path]
                if event["type"] == "DELETED":
                    self._remove(path)
                else:
                    members.append(path)
                    self._store("objects", self._objects, path, item)
            metadata = {**known["envelope"]["metadata"], "resourceVersion": item["metadata"]["resourceVersion"]}
            envelope = {**known["envelope"], "metadata": metadata}
            self._store("lists", self._lists, key, {"envelope": envelope, "members": members})

    def forget(self, path):
        """The object at a path is gone."""
        with self._lock:
            self._remove(path)

    def object(self, path):
        """The object last seen at a path; None when there was none."""
        with self._lock:
            return self._objects.get(path)

    def list(self, key):
        """The answer to a LIST; None when it was never asked for."""
        with self._lock:
            known = self._lists.get(key)
            if not known:
                return None
            items = [self._objects[path] for path in known["members"] if path in self._objects]
            return {**known["envelope"], "items": items}

    def _load(self, kind):
        """{key: value} of all files of a kind."""
        folder = os.path.join(self._folder, kind)
        os.makedirs(folder, exist_ok=True)
        found = {}
        for name in os.listdir(folder):
            if not name.endswith(".json"):
                continue
            with open(os.path.join(folder, name)) as file:
                key, value = json.load(file)
            found[key] = value
        return found

    def _path(self, kind, key):
        return os.path.join(self._folder, kind, f"{hashlib.sha256(key.encode()).hexdigest()}.json")

    def _remove(self, path):
        if self._objects.pop(path, None) is not None:
            os.unlink(self._path("objects", path))

    def _store(self, kind, known, key, value):
        known[key] = value
        path = self._path(kind, key)
        with open(f"{path}.new", "w") as file:
            json.dump([key, value], file)
        os.rename(f"{path}.new", path)
