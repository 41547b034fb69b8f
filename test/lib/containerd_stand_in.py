"""Answers containerd's call Version on a unix socket, as bytes of HTTP/2, for a with block."""
import contextlib
import os
import socket
import threading

DATA, HEADERS, SETTINGS = 0, 1, 4
END, WHOLE = 1, 4  # flags


def frame(kind, flags, stream, payload=b""):
    """RFC 9113, 4.1."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def answer(version):
    """VersionResponse with the version as field 1, between the fields of an answer and its trailers."""
    message = bytes([0x0A, len(version)]) + version.encode()
    return (frame(SETTINGS, 0, 0) + frame(HEADERS, WHOLE, 1, b"\x88") +
            frame(DATA, 0, 1, b"\0" + len(message).to_bytes(4, "big") + message) + frame(HEADERS, WHOLE | END, 1, b"\x88"))


@contextlib.contextmanager
def listening(path, reply):
    """Whoever connects gets these bytes; yields a list of what each has asked."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()
    asked = []

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                with connection, contextlib.suppress(OSError):
                    asked.append(connection.recv(65536))
                    connection.sendall(reply)
                    while connection.recv(65536):
                        pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield asked
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()
        os.remove(path)
