#!/usr/bin/env python3
"""A caching read proxy before a Kubernetes API, in place of YurtHub: while the API can be reached, requests go to it
and what is read is kept; while it cannot, clients get what YurtHub gives them. That is, by method:

    GET, LIST       from the cache; 404 for what nobody ever read
    WATCH           200, open and silent, until it has lasted as long as was asked for, or the API is back
    PATCH, PUT      200 and the object as it was; what was sent is forgotten
    POST            201 and what was sent; a token for a pod: the last one, which it was given before
    DELETE          403

It runs with the host's Python inside the node's network namespace (nsenter): node images of kind have no Python, and
from anywhere else than that namespace it would still reach the API when the node does not.

usage: read_proxy.py --listen ADDRESS:PORT --upstream URL --cache DIR [--ca FILE] [--cert FILE --key FILE]
"""
import argparse
import hashlib
import http.client
import json
import os
import socket
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from read_cache import ReadCache, list_key  # noqa: E402

SECONDS = 5  # for the API to answer a request
WATCH_SECONDS = 1800  # where a client does not say how long
HOP_BY_HOP = {"connection", "content-length", "host", "keep-alive", "transfer-encoding", "accept-encoding"}
FREEBIND = 15  # IP_FREEBIND of <netinet/in.h>: the address may come later than we do
# While the API is away, an open watch notices it within some ten seconds.
KEEPALIVE = ((socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 4),
             (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 2), (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3))


class Upstream:
    """The API, and whether it can be reached."""

    def __init__(self, url, ca, cert, key, patience):
        self._url = urlsplit(url)
        self._patience = patience
        self._context = ssl.create_default_context(cafile=ca) if self._url.scheme == "https" else None
        if self._context and cert:
            self._context.load_cert_chain(cert, key)
        self.is_back = threading.Event()
        self.has_identity = bool(cert)
        self._lock = threading.Lock()
        self._losses = 0

    def connect(self, seconds=SECONDS):
        """A new connection. Errors: OSError."""
        place = (self._url.hostname, self._url.port)
        if self._context:
            connection = http.client.HTTPSConnection(*place, timeout=seconds, context=self._context)
        else:
            connection = http.client.HTTPConnection(*place, timeout=seconds)
        connection.connect()
        for option in KEEPALIVE:
            connection.sock.setsockopt(*option)
        return connection

    def lose(self):
        """It did not answer. What a probe was told before this does not count any more."""
        with self._lock:
            self._losses += 1
            self.is_back.clear()

    def probe(self):
        """Look once a second, for ever, whether it answers."""
        pause = threading.Event()
        while True:
            losses = self._losses
            try:
                connection = self.connect(self._patience)
                connection.request("GET", "/readyz")
                connection.getresponse().read()
                connection.close()
                with self._lock:
                    if losses == self._losses:
                        self.is_back.set()
            except (OSError, http.client.HTTPException):
                self.lose()
            pause.wait(1)


class Handler(BaseHTTPRequestHandler):
    """One client's connection. upstream, cache: set by serve()."""

    protocol_version = "HTTP/1.1"
    upstream = cache = None

    def handle_request(self):
        split = urlsplit(self.path)
        self._place, self._query = split.path, split.query
        self._asked = {name: values[-1] for name, values in parse_qs(split.query).items()}
        self._sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        is_watch = self.command == "GET" and self._asked.get("watch", "false") not in ("false", "0")
        if is_watch and "sendInitialEvents" in self._asked:
            # The client then lists and watches, which can be answered without the API.
            self._answer(422, status_object(422, "Invalid", "sendInitialEvents: lists are not streamed here"))
        elif is_watch:
            self._watch()
        elif not (self.upstream.is_back.is_set() and self._forward()):
            self._answer_from_cache()

    do_GET = do_PATCH = do_PUT = do_POST = do_DELETE = handle_request

    def log_message(self, *arguments):
        pass

    def _forward(self):
        """Have the API answer; False when it cannot be reached, and nothing has been answered."""
        try:
            connection = self._request()
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
        except (OSError, http.client.HTTPException):
            self.upstream.lose()
            return False
        self._remember(answer, body)
        self._answer(answer.status, body, answer.headers.get("Content-Type"))
        return True

    def _request(self, seconds=SECONDS):
        """Pass the request on, as one for JSON that is neither compressed nor cut in pages."""
        connection = self.upstream.connect()
        connection.sock.settimeout(seconds)
        left_out = HOP_BY_HOP | ({"authorization"} if self.upstream.has_identity else set())
        headers = {name: value for name, value in self.headers.items() if name.lower() not in left_out}
        headers["Accept"] = "application/json"
        path = self.path
        if self.command == "GET":
            query = "&".join(part for part in self._query.split("&") if part and not part.startswith("limit="))
            path = f"{self._place}?{query}" if query else self._place
        connection.request(self.command, path, self._sent or None, headers)
        return connection

    def _remember(self, answer, body):
        if self.command == "GET" and answer.status == 404:
            self.cache.forget(self._object_place())
        if answer.status not in (200, 201) or "json" not in answer.headers.get("Content-Type", ""):
            return
        told = json.loads(body)
        if self.command == "POST":
            if self._place.endswith("/token"):
                self.cache.put_object(self._token_key(), told)
        elif self.command == "GET" and told.get("kind", "").endswith("List") and "items" in told:
            if "continue" not in self._asked:
                self.cache.put_list(list_key(self._place, self._query), told)
        elif self.command == "GET" or self.command in ("PATCH", "PUT") and "metadata" in told:
            self.cache.put_object(self._object_place(), told)

    def _watch(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        seconds = float(self._asked.get("timeoutSeconds", WATCH_SECONDS))
        try:
            if not (self.upstream.is_back.is_set() and self._pass_events_on()):
                self.upstream.is_back.wait(seconds)
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True

    def _pass_events_on(self):
        """False when the API went away meanwhile. Errors: OSError when the client did."""
        key = list_key(self._place, self._query)
        lines = self._event_lines()
        for line in lines:
            if line is None:
                self.upstream.lose()
                return False
            event = json.loads(line)
            self.cache.apply(key, event)
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            self.wfile.flush()
        return True

    def _event_lines(self):
        """The events as they come; None at the end when the API went away."""
        try:
            connection = self._request(None)
            answer = connection.getresponse()
            if answer.status != 200:  # too old a resourceVersion, say
                told = json.loads(answer.read())
                yield json.dumps({"type": "ERROR", "object": told}).encode() + b"\n"
                return
            rest = b""
            while part := answer.read1():  # not readline(), which takes a connection that breaks for the end
                *lines, rest = (rest + part).split(b"\n")
                for line in lines:
                    yield line + b"\n"
        except (OSError, ValueError, http.client.HTTPException):
            yield None

    def _answer_from_cache(self):
        if self.command == "DELETE":
            self._answer(403, status_object(403, "Forbidden", "delete: not supported without the API"))
        elif self.command == "POST":
            token = self.cache.object(self._token_key()) if self._place.endswith("/token") else None
            self._answer(201, token or self._sent, None if token else self.headers.get("Content-Type"))
        else:
            found = self.cache.object(self._object_place())
            if self.command == "GET":
                found = found or self.cache.list(list_key(self._place, self._query))
            missing = status_object(404, "NotFound", f"{self._place}: never read while the API could be reached")
            self._answer(200 if found else 404, found or missing)

    def _object_place(self):
        """The path of the object itself, for a path of it or of its status."""
        return self._place[:-len("/status")] if self._place.endswith("/status") else self._place

    def _token_key(self):
        return f"{self._place}#{hashlib.sha256(self._sent).hexdigest()}"

    def _answer(self, code, body, content_type=None):
        """Send a body: bytes, or an object to encode."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", content_type or "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def status_object(code, reason, message):
    """How a Kubernetes API tells of a failure."""
    return {"apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure", "code": code,
            "reason": reason, "message": message}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IP, FREEBIND, 1)
        super().server_bind()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in ("--listen", "--upstream", "--cache"):
        parser.add_argument(option, required=True)
    for option in ("--ca", "--cert", "--key"):
        parser.add_argument(option)
    parser.add_argument("--patience", type=float, default=2, help="seconds after which the API counts as away")
    arguments = parser.parse_args()
    host, _, port = arguments.listen.rpartition(":")
    Handler.upstream = Upstream(arguments.upstream, arguments.ca, arguments.cert, arguments.key, arguments.patience)
    Handler.cache = ReadCache(arguments.cache)
    threading.Thread(target=Handler.upstream.probe, daemon=True).start()
    with Server((host, int(port)), Handler) as server:
        print(f"listening on {server.server_address[0]}:{server.server_address[1]}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
