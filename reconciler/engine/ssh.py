"""I/O: an HTTP connection through `docker system dial-stdio` on the far side of ssh, with an end to every step.

By the SDK's paramiko transport, which alone would wait without end for a host that says nothing, for
the reply to its command, and for an agent. Imported for an ssh:// URL only: paramiko is an extra.
"""

import contextlib
import io
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from getpass import getuser
from pathlib import Path
from typing import Any

import paramiko
from docker.transport.sshconn import SSHConnection, SSHHTTPAdapter
from paramiko.ssh_exception import NoValidConnectionsError

from reconciler.engine.errors import Trouble, is_stuck, one_line, reason_of

JOIN_SECONDS = 2.0
LAST_WORDS_SECONDS = 1.0
LAST_WORDS_BYTES = 200
_COMMAND = "`docker system dial-stdio`"


class SshConnection(SSHConnection):
    """An ssh session of its own, one channel in it, and HTTP over that."""

    sock: Any

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._adapter: _Adapter | None = None
        self._channel: Any = None

    def connect(self) -> None:
        """Connect, within the timeout in all. Raises Trouble or OSError."""
        alarm = _Alarm(float(self.timeout))
        adapter = self._adapter = _Adapter(self._url, alarm)
        self.ssh_transport = adapter.transport
        try:
            with alarm.cutting(adapter.hang_up):
                super().connect()
        except (paramiko.SSHException, EOFError) as error:
            raise Trouble(f"does not run {_COMMAND} over ssh: {one_line(str(error))}") from error
        self._channel = self.sock
        self.sock = _ChannelSocket(self._channel)

    def words(self, error: BaseException) -> str:
        """Say what became of the command, if an error comes of its end, or nothing."""
        channel = self._channel
        if channel is None or is_stuck(error) or not channel.status_event.wait(LAST_WORDS_SECONDS):
            return ""
        if channel.exit_status < 0:
            return ""
        said = channel.recv_stderr(LAST_WORDS_BYTES).decode(errors="replace") if channel.recv_stderr_ready() else ""
        colon = ": " if said.strip() else ""
        return f"gave no answer over ssh: {_COMMAND} ended with {channel.exit_status}{colon}{one_line(said)}"

    def end(self) -> None:
        """End whatever waits, from any thread; never blocks."""
        if self._adapter:
            self._adapter.hang_up()

    def release(self) -> None:
        """End the session and its thread."""
        if self._adapter:
            self._adapter.release()


class _Adapter(SSHHTTPAdapter):
    """The SDK's adapter, which reads ~/.ssh and logs in; given its time here, and words for what goes wrong."""

    ssh_client: Any
    ssh_params: dict[str, Any]

    def __init__(self, url: str, alarm: "_Alarm") -> None:
        self._alarm = alarm
        self._agent: _Agent | None = None
        super().__init__(url)

    @property
    def transport(self) -> Any:
        return self.ssh_client.get_transport()

    def hang_up(self) -> None:
        if transport := self.transport:
            # its thread looks up ten times a second, or at once when its socket ends
            with contextlib.suppress(OSError, AttributeError):
                transport.sock.shutdown(socket.SHUT_RDWR)
            transport.close()

    def release(self) -> None:
        self.hang_up()
        if transport := self.transport:
            transport.join(JOIN_SECONDS)
        self.ssh_client.close()
        if self._agent:
            self._agent.close()
        if proxy := self.ssh_params.get("sock"):
            with proxy.process as process:
                process.kill()

    def _create_paramiko_client(self, base_url: str) -> None:
        super()._create_paramiko_client(base_url)  # type: ignore[misc]
        # what it has to say is in its exceptions; the SDK has just set the level of its log
        logging.getLogger("paramiko").setLevel(logging.CRITICAL)
        self.ssh_client.set_missing_host_key_policy(_Refusal())
        given = self.ssh_params
        given["port"] = int(given["port"] or paramiko.config.SSH_PORT)
        # as ssh itself, and unlike paramiko, pass over files that are not there
        given["key_filename"] = [name for name in given.get("key_filename", ()) if Path(name).is_file()]
        # each step has its own end as well, for an alarm that rings before there is anything to cut
        longest = 2 * self._alarm.seconds
        given |= {"timeout": longest, "banner_timeout": longest, "auth_timeout": longest, "channel_timeout": longest}

    def _connect(self) -> None:
        try:
            with self._alarm.cutting(self.hang_up):
                # given to the client, for its own has no timeout; there is no public way
                self.ssh_client._agent = self._agent = _Agent(self._alarm.seconds)
                super()._connect()  # type: ignore[misc]
        except BaseException as error:
            words = self._words(error)
            self.release()
            if words:
                raise Trouble(words) from error
            raise

    def _words(self, error: BaseException) -> str:
        if isinstance(error, paramiko.BadHostKeyException):
            key = f"{error.key.get_name()} {error.key.fingerprint}"
            return f"shows another host key than ~/.ssh/known_hosts has for {self._known_name()}: {key}"
        if isinstance(error, NoValidConnectionsError):
            return reason_of(next(iter(error.errors.values())), self._alarm.seconds)
        if not isinstance(error, (paramiko.SSHException, EOFError)):
            return ""
        said = one_line(str(error)) or "it hung up"
        if self.transport and self.transport.initial_kex_done:
            user = self.ssh_params["username"] or getuser()
            return f"does not let {user} in with any key of the ssh agent or of ~/.ssh: {said}"
        # what follows these words is chance, or not to be believed
        is_other = "protocol banner" in said or "protocol version" in said
        return "does not speak ssh" if is_other else f"failed over ssh: {said}"

    def _known_name(self) -> str:
        host, port = self.ssh_params["hostname"], self.ssh_params["port"]
        return f"{host}" if port == paramiko.config.SSH_PORT else f"[{host}]:{port}"


class _Agent(paramiko.Agent):
    """The user's agent, which answers within a time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        super().__init__()

    def _connect(self, conn: Any) -> None:
        conn.settimeout(self._seconds)
        try:
            super()._connect(conn)  # type: ignore[misc]
        except OSError as error:
            conn.close()
            raise Trouble("cannot be asked over ssh: the ssh agent does not answer", stuck=is_stuck(error)) from error


class _Refusal(paramiko.MissingHostKeyPolicy):
    """Refuses a host whose key nobody has vouched for."""

    def missing_host_key(self, _client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        raise Trouble(
            f"shows a host key that ~/.ssh/known_hosts does not have for {hostname}: {key.get_name()} {key.fingerprint}"
        )


class _Alarm:
    """A time for all of several steps, each of which is cut off when it rings; made when the time begins."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._deadline = time.monotonic() + seconds

    @contextlib.contextmanager
    def cutting(self, cut: Callable[[], None]) -> Iterator[None]:
        """Cut a step off at the end of the time. Raises Trouble then, whatever the step made of it."""
        rung = threading.Event()

        def ring() -> None:
            rung.set()
            cut()

        timer = threading.Timer(max(self._deadline - time.monotonic(), 0), ring)
        timer.start()
        try:
            yield
        except Trouble:
            raise
        except BaseException as error:
            if rung.is_set() or isinstance(error, TimeoutError):
                raise self._trouble() from error
            raise
        finally:
            timer.cancel()
            timer.join()
        if rung.is_set():
            raise self._trouble()

    def _trouble(self) -> Trouble:
        return Trouble(f"was not reached over ssh within {self.seconds:g} s", stuck=True)


class _ChannelSocket:
    """A paramiko channel that reads as a socket does: what is there, once something is there.

    Closing it leaves the channel open: http.client closes before the last answer has been read.
    """

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel
        self.settimeout = channel.settimeout
        self.sendall = channel.sendall

    def makefile(self, _mode: str, buffering: int) -> "_ChannelFile":
        return _ChannelFile(self._channel)

    def close(self) -> None:
        """Leave it to the session."""


class _ChannelFile(io.RawIOBase):
    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        received = self._channel.recv(len(buffer))
        buffer[: len(received)] = received
        return len(received)
