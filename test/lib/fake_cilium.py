"""A stand-in for Cilium's agent: the part of its API that cilium-cni talks to in delegated-plugin mode.

HTTP over a unix socket, answered by threads of the test itself, so it survives what kills the node's processes; after
its folder was emptied (a reboot) start it again. As the real agent (1.20.2, test/peers/cilium_agent_test.py) it refuses
with 400 an endpoint that it has already, and one whose address another one has, also where that one's sandbox is long
gone: only a DELETE, or its own endpoint GC 5 to 10 minutes later (collect()), ends that; and with 429 whoever comes too
fast (limit()). In this mode nobody may ask the
agent for an address: stop() fails when somebody did.
"""
import contextlib
import json
import os
import socketserver
import sys
import threading
import urllib.parse
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler

FOLDER = "/run/cilium"  # cilium-cni's own default is /var/run/cilium/cilium.sock
ROUTER4, ROUTER6 = "169.254.23.0", "fe80::1"


@dataclass
class Request:
    """One request as it came: method, path without /v1 and with escapes resolved, and body (JSON, or None)."""

    method: str
    path: str
    body: object


class Agent:
    """For a with block. router4, router6: the pods' gateways; None switches the family off.

    endpoints: what is registered now: {(container ID, ifname): body of its PUT}. requests: all that came, in order.
    settings: keys of GET /config's status on top of the ordinary ones.
    """

    def __init__(self, folder=FOLDER, router4=ROUTER4, router6=None, **settings):
        self.folder = folder
        self.socket = f"{folder}/cilium.sock"
        self.endpoints = {}
        self.requests = []
        self.refusals = []  # (status, message) for the next PUTs of endpoints, each used once
        self._status = {**_status(router4, router6), **settings}
        self._lock = threading.Lock()
        self._gates = {}
        self._server = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *_):
        self._shut_down()
        if kind is None:
            self.check()

    def start(self):
        """Listen; what an earlier agent left at the socket's path is removed, as the real one does."""
        os.makedirs(self.folder, exist_ok=True)
        if os.path.lexists(self.socket):
            os.unlink(self.socket)
        self._server = _Server(self.socket, _Handler)
        self._server.agent = self
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        """Stop as in order: the socket is gone. AssertionError as in check()."""
        self._shut_down()
        if os.path.lexists(self.socket):
            os.unlink(self.socket)
        self.check()

    def kill(self):
        """The agent dies: its socket stays behind, and nobody answers there."""
        self._shut_down()

    def check(self):
        """AssertionError when somebody asked the agent for addresses, or for what this stand-in does not know."""
        odd = [f"{one.method} {one.path}" for one in self.requests if not _is_known(one)]
        assert not odd, f"the agent was asked for {odd}"

    @contextlib.contextmanager
    def paused(self, method):
        """For a with block: requests of this method come in, but are answered after it only."""
        go_on = threading.Event()
        self._gates[method] = go_on
        try:
            yield
        finally:
            del self._gates[method]
            go_on.set()

    def limit(self, count):
        """The next PUTs of endpoints come too fast for its limiter."""
        self.refusals += [(429, "request would have to wait 62s to be served (maximum wait duration: 1m0s)")] * count

    def collect(self, container_id):
        """Its endpoint GC finds that the sandbox is gone."""
        for key in [key for key in self.endpoints if key[0] == container_id]:
            del self.endpoints[key]

    def puts(self, container_id):
        """The bodies of the endpoint requests for a container, in order, refused ones too."""
        return [one.body for one in self.requests if one.method == "PUT" and one.body["container-id"] == container_id]

    def answer(self, request):
        """HTTP status and JSON body for a request."""
        self.requests.append(request)
        gate = self._gates.get(request.method)
        if gate:
            gate.wait()
        with self._lock:
            kind = request.path.split("/")[1]
            if kind == "config":
                return 200, {"spec": {"options": {}}, "status": self._status}
            if kind == "healthz":
                return 200, {"cilium": {"state": "Ok"}}
            if kind == "endpoint":
                return self._endpoint(request)
        return 500, f"{request.path}: not supported"

    def _endpoint(self, request):
        if request.method == "PUT":
            return self._put(request.body)
        if request.method == "DELETE":
            return self._delete(request)
        _, container_id, ifname = request.path.split("/")[2].split(":")
        if (container_id, ifname) not in self.endpoints:
            return 404, "no such endpoint"
        return 200, {"overallHealth": "OK", "bpf": "OK", "policy": "OK", "connected": True}

    def _put(self, body):
        if self.refusals:
            return self.refusals.pop(0)
        key = (body["container-id"], body.get("container-interface-name", "eth0"))
        if key in self.endpoints:
            return 400, f"endpoint for CNI attachment ID {':'.join(key)} already exists"
        for registered in self.endpoints.values():
            shared = registered["addressing"].items() & body["addressing"].items()
            if shared:
                return 400, f"IP {':'.join(min(shared)).partition('/')[0]} is already in use"
        self.endpoints[key] = body
        return 201, {"id": len(self.requests), "status": {}}

    def _delete(self, request):
        """One endpoint, cni-attachment-id:<container>:<ifname>, or (before Cilium 1.18) all of a container."""
        if request.body:
            container_id, ifname = request.body["container-id"], None
        else:
            _, container_id, ifname = request.path.split("/")[2].split(":")
        gone = [key for key in self.endpoints if key[0] == container_id and ifname in (None, key[1])]
        for key in gone:
            del self.endpoints[key]
        return (200, 0) if gone else (404, "no such endpoint")

    def _shut_down(self):
        server, self._server = self._server, None
        if server:
            server.shutdown()
            server.server_close()


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """A client that is killed, or ends without reading to the end, is no error here."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def _serve(self):
        length = int(self.headers.get("Content-Length") or 0)
        text = self.rfile.read(length)
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path).removeprefix("/v1")
        status, answer = self.server.agent.answer(Request(self.command, path, json.loads(text) if text else None))
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        # A connection that stays open would be answered by an agent that is long dead.
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)
        self.close_connection = True

    do_GET = do_PUT = do_DELETE = do_POST = do_PATCH = _serve

    def log_message(self, *_):
        """The requests are kept in Agent.requests; nothing is printed."""


def _status(router4, router6):
    """The status of GET /config, of an agent in delegated-plugin mode."""
    addressing = {"ipv4": router4, "ipv6": router6}
    return {
        "ipam-mode": "delegated-plugin", "datapathMode": "veth", "deviceMTU": 1500, "routeMTU": 1500,
        "addressing": {family: {"enabled": True, "ip": ip} for family, ip in addressing.items() if ip},
        "masquerade": False, "masqueradeProtocols": {"ipv4": False, "ipv6": False},
    }


def _is_known(request):
    known = {"GET": ("config", "healthz", "endpoint"), "PUT": ("endpoint",), "DELETE": ("endpoint",)}
    return request.path.split("/")[1] in known.get(request.method, ())
