"""A daemon that answers with whatever bytes a test gives, for as long as somebody reads them."""

import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress

VERSION = b'{"ApiVersion":"1.41"}'
SOUND_VERSION = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(VERSION), VERSION)

Answers = Mapping[str, Callable[[], Iterable[bytes]]]


class Hostile:
    """Where such a daemon listens, what it was sent, and how much it has sent."""

    def __init__(self, listener: socket.socket) -> None:
        self.url = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        self.requests: list[bytes] = []
        self.sent_bytes = 0


@contextmanager
def hostile(answers: Answers) -> Iterator[Hostile]:
    """Serve raw answers by the end of a request's path, and a sound answer to /version if none is given for it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        daemon = Hostile(listener)
        accepting = threading.Thread(target=_accept, args=(listener, daemon, answers))
        accepting.start()
        try:
            yield daemon
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()


def _accept(listener: socket.socket, daemon: Hostile, answers: Answers) -> None:
    serving: list[threading.Thread] = []
    with suppress(OSError):
        while True:
            serving.append(threading.Thread(target=_serve, args=(listener.accept()[0], daemon, answers)))
            serving[-1].start()
    for thread in serving:
        thread.join()


def _serve(connection: socket.socket, daemon: Hostile, answers: Answers) -> None:
    with closing(connection), suppress(OSError):
        while request := connection.recv(65_536):
            daemon.requests.append(request)
            path = request.split(b" ")[1].partition(b"?")[0].decode()
            answer = next((made for end, made in answers.items() if path.endswith(end)), None)
            for piece in answer() if answer else [SOUND_VERSION]:
                connection.sendall(piece)
                daemon.sent_bytes += len(piece)
