"""A browser without a window that opens files: Chromium, talked to over its debugging pipe, with no network at all.

It runs in a network and a process namespace of its own, so that nothing of it is left when its first process has ended;
that dies with us.
"""
import base64
import contextlib
import fcntl
import itertools
import json
import os
import select
import shutil
import struct
import subprocess
import time
import zlib

PATIENCE = 60  # seconds for one answer
OURS, ITS = 3, 4  # what --remote-debugging-pipe reads from and writes to
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-breakpad", "--no-first-run",
         "--disable-extensions", "--disable-background-networking", "--hide-scrollbars", "--remote-debugging-pipe")
NAMESPACES = ("setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
PACKAGE = "chromium-headless-shell"
PNG = b"\x89PNG\r\n\x1a\n"


def path():
    """The browser's executable, None where there is none; CHROMIUM names another one."""
    named = os.environ.get("CHROMIUM")
    return shutil.which(named) if named else shutil.which(PACKAGE, path="/usr/lib/chromium") or shutil.which("chromium")


class Browser:
    """One page, for a with block. folder: the browser's home."""

    def __init__(self, folder):
        self._folder = folder
        self._numbers = itertools.count(1)
        self._unread = b""
        self._events = []
        self._session = None
        self._ending = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as ending:
            self._start(ending)
            target = self._call("Target.createTarget", url="about:blank")["targetId"]
            self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Network", "Log"):
                self._call(f"{domain}.enable")
            self._ending = ending.pop_all()
        return self

    def __exit__(self, *_):
        self._ending.close()

    def open(self, file, scheme):
        """Show a file as a reader does who prefers the scheme "light" or "dark"."""
        self._call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self._events.clear()
        answer = self._call("Page.navigate", url=f"file://{os.path.abspath(file)}")
        assert not answer.get("errorText"), answer
        self._wait_for("Page.loadEventFired")

    def requests(self):
        """The addresses of all that was asked for since open(), its file first."""
        return [event["params"]["request"]["url"] for event in self._events if event["method"] == "Network.requestWillBeSent"]

    def complaints(self):
        """What the browser's console says of the page."""
        return [event["params"] for event in self._events
                if event["method"] in ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")]

    def evaluate(self, expression):
        """The value of an expression of the page, as Python has it."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def picture(self):
        """The whole page as a PNG file."""
        shown = self._call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(shown["data"])

    def _start(self, ending):
        (asked, self._to), (self._from, answered) = os.pipe(), os.pipe()
        # Not below those numbers that they get in the browser.
        theirs = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, 10) for one in (asked, answered)]

        def put():
            os.dup2(theirs[0], OURS)
            os.dup2(theirs[1], ITS)
        log = ending.enter_context(open(os.path.join(self._folder, "log"), "w+"))
        self._log = log
        self._process = subprocess.Popen(
            [*NAMESPACES, path(), *FLAGS, f"--user-data-dir={self._folder}/profile"], preexec_fn=put, close_fds=False,
            env={"PATH": os.environ["PATH"], "HOME": self._folder, "TMPDIR": self._folder, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        ending.callback(self._stop)
        for one in (asked, answered, *theirs):
            os.close(one)

    def _stop(self):
        """The browser ends when nobody talks to it any more; of one that does not the kernel ends the whole namespace."""
        os.close(self._to)
        os.close(self._from)
        try:
            self._process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _call(self, method, **parameters):
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer)
                return answer["result"]

    def _wait_for(self, method):
        while not any(event["method"] == method for event in self._events):
            self._read()

    def _read(self):
        """The next message; an event is kept."""
        deadline = time.monotonic() + PATIENCE
        while b"\0" not in self._unread:
            readable, _, _ = select.select([self._from], [], [], max(0, deadline - time.monotonic()))
            more = os.read(self._from, 1 << 20) if readable else b""
            assert more, f"the browser says nothing more: {self._said()}"
            self._unread += more
        text, self._unread = self._unread.split(b"\0", 1)
        message = json.loads(text)
        if "method" in message:
            self._events.append(message)
        return message

    def _said(self):
        self._log.seek(0)
        return self._log.read()[-2000:]


class Pixels:
    """The pixels of a PNG file as browsers write it: 8 bits a channel, not interlaced."""

    def __init__(self, png):
        assert png.startswith(PNG), png[:16]
        chunks = dict.fromkeys((b"IHDR", b"IDAT"), b"")
        place = len(PNG)
        while place < len(png):
            length, kind = struct.unpack(">I4s", png[place:place + 8])
            chunks[kind] = chunks.get(kind, b"") + png[place + 8:place + 8 + length]
            place += 12 + length
        self.width, self.height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
        assert depth == 8 and colour in (2, 6) and not interlaced, (depth, colour, interlaced)
        self._channels = 3 if colour == 2 else 4
        self._rows = self._unfiltered(zlib.decompress(chunks[b"IDAT"]))

    def at(self, x, y):
        """(red, green, blue) of a pixel."""
        start = round(x) * self._channels
        return tuple(self._rows[round(y)][start:start + 3])

    def _unfiltered(self, data):
        stride, step = self.width * self._channels, self._channels
        rows, above = [], bytes(stride)
        for start in range(0, len(data), stride + 1):
            kind, row = data[start], bytearray(data[start + 1:start + 1 + stride])
            for i in range(stride if kind else 0):
                left = row[i - step] if i >= step else 0
                corner = above[i - step] if i >= step else 0
                row[i] = (row[i] + (0, left, above[i], (left + above[i]) // 2, _paeth(left, above[i], corner))[kind]) & 255
            rows.append(row)
            above = row
        return rows


def _paeth(left, above, corner):
    """The predictor of the PNG specification, 9.4."""
    guess = left + above - corner
    return min((left, above, corner), key=lambda value: abs(guess - value))
