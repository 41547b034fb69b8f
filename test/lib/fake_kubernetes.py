"""A stand-in for a Kubernetes API server: namespaced objects of a few kinds, in memory, over plain HTTP.

What client-go relies on is there: lists, resource versions (an outdated one is a conflict), JSON patches whose tests
count, and errors as Status objects. It listens in a network namespace of the test's choice, answers by threads of the
test itself, and so survives what kills the node's processes; its objects survive stop() and start().
"""
import contextlib
import ctypes
import itertools
import json
import os
import socket
import sys
import threading
import time
import urllib.parse
import uuid
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CLONE_NEWNET = 0x40000000
KINDS = {"ippools": "IPPool", "overlappingrangeipreservations": "OverlappingRangeIPReservation", "leases": "Lease"}
KUBECONFIG = """apiVersion: v1
kind: Config
clusters: [{{name: test, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
contexts: [{{name: test, context: {{cluster: test, user: test, namespace: {namespace}}}}}]
users: [{{name: test, user: {{}}}}]
current-context: test
"""


class Refusal(Exception):
    """What a request is answered with instead of an object: HTTP status, Kubernetes' reason, message."""


class ApiServer:
    """objects: everything that is stored, {(kind in plural, name): object}. requests: (method, plural) that came, in
    order. refusals: {plural: (HTTP status, reason, message)} for all requests about a kind, as long as it is there.
    """

    def __init__(self, namespace="kube-system"):
        self.objects = {}
        self.requests = []
        self.refusals = {}
        self._namespace = namespace
        self._versions = itertools.count(1)
        self._lock = threading.Lock()
        self._server = None

    @contextlib.contextmanager
    def serving(self, netns, kubeconfig):
        """For a with block: start(), and stop() at the end."""
        self.start(netns, kubeconfig)
        try:
            yield self
        finally:
            self.stop()

    def start(self, netns, kubeconfig):
        """Listen on the loopback of the network namespace at this path, and write the kubeconfig that leads there."""
        listening = _listen(netns)
        self._server = _Server(listening.getsockname(), _Handler, bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = listening
        self._server.api = self
        with open(kubeconfig, "w") as file:
            file.write(KUBECONFIG.format(port=listening.getsockname()[1], namespace=self._namespace))
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        """Nobody answers at the port any more; a second stop() does nothing."""
        server, self._server = self._server, None
        if server:
            server.shutdown()
            server.server_close()

    def stored(self, plural):
        """The objects of a kind: {name: object}."""
        with self._lock:
            return {name: one for (kind, name), one in self.objects.items() if kind == plural}

    def answer(self, method, path, body):
        """HTTP status and JSON object for a request to /apis/GROUP/VERSION/namespaces/NAMESPACE/PLURAL[/NAME]."""
        try:
            _, _, group, version, _, _, plural, *rest = path.split("/")
            name = rest[0] if rest else body["metadata"]["name"] if body else None
            with self._lock:
                self.requests.append((method, plural))
                if plural in self.refusals:
                    raise Refusal(*self.refusals[plural])
                return self._do(method, f"{group}/{version}", (plural, name), body)
        except Refusal as refusal:
            code, reason, message = refusal.args
            return code, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                          "message": message, "reason": reason, "code": code}
        except (KeyError, ValueError, TypeError) as error:
            return 400, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "BadRequest",
                         "code": 400, "message": f"{method} {path}: {error!r}"}

    def _do(self, method, group, key, body):
        plural, name = key
        if method == "GET" and name is None:
            items = [one for (kind, _), one in self.objects.items() if kind == plural]
            return 200, {"apiVersion": group, "kind": f"{KINDS[plural]}List", "metadata": {}, "items": items}
        if method == "POST":
            if key in self.objects:
                raise Refusal(409, "AlreadyExists", f'{plural} "{name}" already exists')
            return 201, self._store(key, {**body, "metadata": {**body["metadata"], **_birth(self._namespace)}})
        if key not in self.objects:
            raise Refusal(404, "NotFound", f'{plural} "{name}" not found')
        if method == "DELETE":
            del self.objects[key]
            return 200, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
        if method == "PUT":
            if body["metadata"]["resourceVersion"] != self.objects[key]["metadata"]["resourceVersion"]:
                raise Refusal(409, "Conflict", f'{plural} "{name}": the object has been modified')
            return 200, self._store(key, body)
        if method == "PATCH":
            return 200, self._store(key, patched(self.objects[key], body))
        return 200, self.objects[key]

    def _store(self, key, one):
        one["metadata"]["resourceVersion"] = str(next(self._versions))
        self.objects[key] = one
        return one


def patched(document, operations):
    """A copy of an object with the operations of a JSON patch done, as far as they concern members of objects.

    Errors: Refusal when a test fails; what is not there passes as null, as it does in Kubernetes.
    """
    copy = json.loads(json.dumps(document))
    for operation in operations:
        *folders, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
        place = copy
        for folder in folders:
            place = place[folder]
        if operation["op"] == "test":
            if place.get(last) != operation.get("value"):
                raise Refusal(422, "Invalid", f"the test of {operation['path']} failed")
        elif operation["op"] == "remove":
            del place[last]
        elif operation["op"] in ("add", "replace"):
            place[last] = operation["value"]
        else:
            raise ValueError(operation)
    return copy


def _birth(namespace):
    """What a server adds to a new object's metadata."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {"namespace": namespace, "uid": str(uuid.uuid4()), "creationTimestamp": now}


def _listen(netns):
    """A listening socket on the loopback of a network namespace."""

    def inside():
        libc = ctypes.CDLL(None, use_errno=True)
        with open(netns) as file:
            if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), netns)
        return socket.create_server(("127.0.0.1", 0), backlog=128)

    with ThreadPoolExecutor(1) as thread:  # the namespace is the thread's own, and ends with it
        return thread.submit(inside).result()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that is killed is no error here."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def _serve(self):
        length = int(self.headers.get("Content-Length") or 0)
        text = self.rfile.read(length)
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        status, answer = self.server.api.answer(self.command, path, json.loads(text) if text else None)
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        # A connection that stays open would be answered by a server that was stopped.
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)
        self.close_connection = True

    do_GET = do_PUT = do_DELETE = do_POST = do_PATCH = _serve

    def log_message(self, *_):
        """The requests are kept in ApiServer.requests; nothing is printed."""
