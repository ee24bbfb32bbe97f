"""gunicorn's settings: `gunicorn -c python:tinyforge.server`.

Everybody who follows the feed takes a thread for minutes, and whoever sends or takes his bytes slowly takes one too.
So there are as many threads as followers are let in, and some more for everybody else.
"""

from typing import Any

from tinyforge.env import Env, followers_most

THREADS_FOR_OTHERS = 32

wsgi_app = "tinyforge.wsgi"
worker_class = "tinyforge.threads.Threads"
threads = followers_most(Env()) + THREADS_FOR_OTHERS
# waiting for a thread, and kept alive between two requests
worker_connections = threads + 1_000
# a list can be filtered by many names; this is the most that gunicorn allows
limit_request_line = 8_190
# at its end, a process gives requests so long
graceful_timeout = 10
control_socket_disable = True


def post_worker_init(worker: Any) -> None:
    """Let those who follow the feed leave when their process is told to end; they come again elsewhere."""
    from web.newest import NEWEST

    NEWEST.is_ending = lambda: not worker.alive
