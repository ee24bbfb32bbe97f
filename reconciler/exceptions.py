"""All errors that this app raises on purpose."""


class ReconcilerError(Exception):
    """Base of the app's errors; the text says what is wrong, where, and what to do."""


class EngineUnavailable(ReconcilerError):
    """A host's Engine gave no complete and usable answer, so nothing is known about its containers."""

    def __init__(self, host: str, url: str, reason: str) -> None:
        self.trouble = f"the Engine at {url} {reason}"
        super().__init__(f"host {host}: {self.trouble}")
        self.host = host
        self.url = url
        self.reason = reason


class NoDetails(ReconcilerError):
    """An inspect gave no details of a container; `stuck` means that the daemon did not answer in time."""

    def __init__(self, container_id: str, reason: str, *, stuck: bool = False) -> None:
        super().__init__(f"no details of container {container_id[:12]}: {reason}")
        self.container_id = container_id
        self.reason = reason
        self.stuck = stuck


class IndexUnavailable(ReconcilerError):
    """The index's own database failed a pass, of which nothing was written."""

    def __init__(self, host: str, error: Exception) -> None:
        first_line = str(error).partition("\n")[0] or type(error).__name__
        self.reason = f"was not brought up to date: the index's database failed ({first_line[:200]})"
        super().__init__(f"host {host} {self.reason}")


class LockUnavailable(ReconcilerError):
    """Redis does not answer, so there is no lock; the database's fence alone keeps passes correct (I7)."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"Redis at {url} does not answer ({reason})")


class CannotAsk(ReconcilerError):
    """The workers cannot be asked for a pass, because Redis does not answer; the next tick looks at the host."""

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(f"no worker can be asked to look at host {host}: {reason}")


class UnknownHost(ReconcilerError):
    """Somebody named a host that the index does not know."""

    def __init__(self, names: list[str], known: list[str]) -> None:
        super().__init__(f"unknown host {', '.join(names)}; known: {', '.join(known) or 'none'}")


class CannotWatch(ReconcilerError):
    """The watcher cannot do its work any more."""


class BadCursor(ReconcilerError):
    """Somebody gave a text as a cursor that no feed has ever given out."""

    def __init__(self) -> None:
        super().__init__("this is no cursor; use one that an answer of this index has given")


class CursorTooOld(ReconcilerError):
    """The feed after a cursor is not complete any more, or the cursor is of another database."""

    def __init__(self) -> None:
        super().__init__("the changes after this cursor are not known any more; read the whole list again")


class BadValue(ReconcilerError):
    """Somebody gave a value that cannot be used."""


class UnknownRow(ReconcilerError):
    """Somebody named a row that there is not."""

    def __init__(self, row_id: str) -> None:
        super().__init__(f"there is no container row {row_id!r}; a deploy makes it first, as a placeholder")


class UnknownWorkload(ReconcilerError):
    """Somebody named a workload that there is not, and that no row names."""

    def __init__(self, workload_id: str) -> None:
        super().__init__(f"there is no workload {workload_id!r}, and no row of it; a deploy makes a placeholder first")


class Conflict(ReconcilerError):
    """Something cannot be done as things are, because somebody else was faster."""
