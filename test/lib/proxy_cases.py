"""The read proxy of test/e2e/kind before an API that goes away and comes back."""
import http.client
import json
import os
import queue
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from plugin import ROOT
from world import wait_until

PROXY = f"{ROOT}/test/e2e/kind/read_proxy.py"
PODS = "/api/v1/pods?fieldSelector=spec.nodeName%3Dedge"
NODE = "/api/v1/nodes/edge"
TOKEN = "/api/v1/namespaces/kube-system/serviceaccounts/coredns/token"


def pod(name, version):
    return {"metadata": {"name": name, "namespace": "shop", "resourceVersion": version},
            "status": {"podIP": f"10.244.1.{version}"}}


class Api:
    """A small API server on a port of its own; start() and stop() any number of times. Notes what it was asked."""

    def __init__(self):
        self.node = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": "edge", "labels": {"state": "first"}}}
        self.pods = [pod("web-0", "2"), pod("web-1", "3")]
        self.asked = []
        self.events = None
        self.port = 0
        self._server = None

    def start(self):
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_request(self):
                api.answer(self)

            do_GET = do_PATCH = do_PUT = do_POST = do_DELETE = handle_request

            def log_message(self, *arguments):
                pass

        self.events = queue.Queue()
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def is_up(self):
        return self._server is not None

    def stop(self):
        """Go away as a machine does: connections break, in the middle of an answer too."""
        if self._server:
            self.events.put(None)
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def answer(self, request):
        url = urlsplit(request.path)
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        if url.path != "/readyz":
            self.asked.append((request.command, request.path, request.headers.get("Accept"), body))
        if "watch" in parse_qs(url.query):
            return self._watch(request)
        told = self._told(request.command, url.path, body)
        data = json.dumps(told).encode()
        request.send_response(200 if told else 404)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    def _told(self, command, path, body):
        if path == "/api/v1/pods":
            return {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "3"}, "items": self.pods}
        if path.startswith(NODE):
            if command == "PATCH":
                self.node["metadata"]["labels"].update(json.loads(body)["metadata"]["labels"])
            return self.node
        if path == TOKEN:
            return {"kind": "TokenRequest", "apiVersion": "v1", "metadata": {}, "status": {"token": "secret"}}
        return {"status": "ok"} if path == "/readyz" else {}

    def _watch(self, request):
        """Events as they are put in the queue, until False, which ends the watch as an API server does whose time for
        it is over, or None, with which the connection breaks."""
        events = self.events
        request.send_response(200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        request.wfile.flush()
        while event := events.get():
            line = json.dumps(event).encode() + b"\n"
            request.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            request.wfile.flush()
        if event is False:
            request.wfile.write(b"0\r\n\r\n")
        request.close_connection = True


class Proxy:
    """The proxy as a process."""

    def __init__(self, folder, api):
        self._process = subprocess.Popen(
            [sys.executable, PROXY, "--listen", "127.0.0.1:0", "--upstream", f"http://127.0.0.1:{api.port}",
             "--cache", folder, "--patience", "60"], stdout=subprocess.PIPE, text=True)
        self.port = int(self._process.stdout.readline().rpartition(":")[2])

    def end(self):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def open(self, command, path, body=None, accept="application/vnd.kubernetes.protobuf"):
        """The answer, not read yet."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(command, path, json.dumps(body) if body is not None else None, {"Accept": accept})
        return connection.getresponse()

    def ask(self, *request):
        """(status, object) of an answer."""
        answer = self.open(*request)
        data = answer.read()
        return answer.status, json.loads(data)


@contextmanager
def place(folder):
    """An API, and a proxy that can reach it."""
    api = Api()
    api.start()
    proxy = Proxy(folder, api)
    try:
        wait_until(lambda: proxy.ask("GET", NODE)[0] == 200, 60, "the proxy does not reach the API")
        yield api, proxy
    finally:
        proxy.end()
        api.stop()


def names(told):
    return [item["metadata"]["name"] for item in told["items"]]


def reads_pass_through(folder):
    with place(folder) as (api, proxy):
        status, told = proxy.ask("GET", f"{PODS}&limit=500&resourceVersion=0")
        assert (status, names(told)) == (200, ["web-0", "web-1"]), told
        _, path, accept, _ = api.asked[-1]
        assert "limit" not in path and accept == "application/json", "asked for pages, or for what it cannot read"
        status, told = proxy.ask("PATCH", f"{NODE}/status", {"metadata": {"labels": {"state": "second"}}})
        assert (status, told["metadata"]["labels"]["state"]) == (200, "second"), told
        assert proxy.ask("GET", "/api/v1/nodes/nobody")[0] == 404
        assert proxy.ask("GET", f"{PODS}&watch=true&sendInitialEvents=true")[0] == 422, "a streamed list cannot be kept"


def answers_from_cache(folder):
    with place(folder) as (api, proxy):
        proxy.ask("GET", PODS)
        token = {"spec": {"audiences": ["api"]}}
        proxy.ask("POST", TOKEN, token)
        assert api.asked[-1][2] == "application/json", "a kubelet's token came in a form that cannot be kept"
        api.stop()
        status, told = proxy.ask("GET", f"{PODS}&resourceVersion=3&limit=500")
        assert (status, told["kind"], names(told)) == (200, "PodList", ["web-0", "web-1"]), told
        status, told = proxy.ask("GET", "/api/v1/namespaces/shop/pods/web-1")
        assert (status, told["kind"], told["status"]["podIP"]) == (200, "Pod", "10.244.1.3"), told
        for command in ("PATCH", "PUT"):
            status, told = proxy.ask(command, f"{NODE}/status", {"metadata": {"labels": {"state": "lost"}}})
            assert (status, told["metadata"]["labels"]) == (200, {"state": "first"}), f"{command}: {told}"
        event = {"kind": "Event", "reason": "Started"}
        assert proxy.ask("POST", "/api/v1/namespaces/shop/events", event) == (201, event)
        assert proxy.ask("POST", TOKEN, token)[1]["status"]["token"] == "secret", "the token is another one"
        assert proxy.ask("DELETE", "/api/v1/namespaces/shop/pods/web-1")[0] == 403
        assert proxy.ask("GET", "/api/v1/namespaces/shop/pods/web-7")[0] == 404
        assert proxy.ask("GET", "/api/v1/services")[0] == 404, "a list that nobody ever asked for"


def watches_keep_lists_up_to_date(folder):
    with place(folder) as (api, proxy):
        proxy.ask("GET", PODS)
        watch = proxy.open("GET", f"{PODS}&watch=true&resourceVersion=3&timeoutSeconds=600")
        changes = [{"type": "ADDED", "object": pod("web-2", "4")}, {"type": "MODIFIED", "object": pod("web-0", "9")},
                   {"type": "DELETED", "object": pod("web-1", "10")},
                   {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "11"}}}]
        for change in changes:
            api.events.put(change)
            assert json.loads(watch.readline()) == change, "not the event that the API told"
        api.stop()
        _, told = proxy.ask("GET", PODS)
        assert {item["metadata"]["name"]: item["status"]["podIP"] for item in told["items"]} == {
            "web-0": "10.244.1.9", "web-2": "10.244.1.4"}, told
        assert told["metadata"]["resourceVersion"] == "11", told
        assert proxy.ask("GET", "/api/v1/namespaces/shop/pods/web-1")[0] == 404, "a pod that was deleted"


def watches_stay_open(folder):
    """One from before the API went, one from after: both open and silent, and over when it is back."""
    with place(folder) as (api, proxy):
        proxy.ask("GET", PODS)
        before = proxy.open("GET", f"{PODS}&watch=true&timeoutSeconds=600")
        api.stop()
        after = proxy.open("GET", f"{PODS}&watch=true&timeoutSeconds=600")
        assert (before.status, after.status) == (200, 200)
        ended = queue.Queue()

        def follow(watch):
            try:
                ended.put((watch.read(), api.is_up()))
            except (OSError, http.client.HTTPException) as error:
                ended.put((error, api.is_up()))
        for watch in (before, after):
            threading.Thread(target=follow, args=(watch,), daemon=True).start()
        assert proxy.ask("GET", PODS)[0] == 200
        assert ended.empty(), f"a watch ended without the API: {ended.get()}"
        api.start()
        for _ in range(2):
            assert ended.get(timeout=60) == (b"", True), "a watch told something, broke, or ended without the API"
        status, _ = proxy.ask("PATCH", f"{NODE}/status", {"metadata": {"labels": {"state": "third"}}})
        assert (status, api.node["metadata"]["labels"]["state"]) == (200, "third"), "the API is back, and not asked"


def a_watch_has_its_time(folder):
    with place(folder) as (api, proxy):
        api.stop()
        watch = proxy.open("GET", f"{PODS}&watch=true&timeoutSeconds=1")
        assert (watch.status, watch.read()) == (200, b"")


def a_watch_ends_with_the_apis(folder):
    """The client lists anew then; one that stayed open would be deaf to what happens next."""
    with place(folder) as (api, proxy):
        watch = proxy.open("GET", f"{PODS}&watch=true&timeoutSeconds=600")
        event = {"type": "ADDED", "object": pod("web-2", "4")}
        api.events.put(event)
        api.events.put(False)
        assert [json.loads(line) for line in watch.read().splitlines()] == [event]


def survives_the_node(folder):
    """The node restarts, and the proxy with it, while the API is away."""
    with place(folder) as (api, proxy):
        proxy.ask("GET", PODS)
        api.stop()
        proxy.end()
        again = Proxy(folder, api)
        try:
            assert names(again.ask("GET", PODS)[1]) == ["web-0", "web-1"]
            assert again.ask("PATCH", f"{NODE}/status", {})[0] == 200
        finally:
            again.end()


CASES = [
    ("requests go to the API, as ones for whole lists in JSON", reads_pass_through),
    ("without the API GET and LIST are answered, PATCH and PUT with the old object, DELETE is refused",
     answers_from_cache),
    ("what a watch tells is in the lists afterwards", watches_keep_lists_up_to_date),
    ("watches stay open while the API is away, and end when it is back", watches_stay_open),
    ("a watch that the API ends is over for the client too", a_watch_ends_with_the_apis),
    ("a watch without the API lasts as long as was asked for", a_watch_has_its_time),
    ("a proxy that starts without the API knows what the one before it knew", survives_the_node),
]


def tell(suite, folder):
    """Run the cases as tests of a suite, each with a cache of its own below the folder."""
    for number, (sentence, case) in enumerate(CASES):
        suite.run(f"read proxy: {sentence}", case, os.path.join(folder, str(number)))
