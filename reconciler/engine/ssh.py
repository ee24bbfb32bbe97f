"""I/O: an HTTP connection through `docker system dial-stdio` on the other side of ssh. Every step has a bound.

It uses the SDK's paramiko transport. That alone would wait for ever for a host that says nothing, for the
reply to its command, and for an agent. Imported for an ssh:// URL only, because paramiko is an extra.
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
    """HTTP over the only channel of an ssh session of its own."""

    sock: Any

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._adapter: _Adapter | None = None
        self._channel: Any = None

    def connect(self) -> None:
        """Connect; all steps together take no longer than the timeout. Raises Trouble or OSError."""
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
        """Return in words how the command ended, if its end caused the error, or nothing."""
        channel = self._channel
        if channel is None or is_stuck(error) or not channel.status_event.wait(LAST_WORDS_SECONDS):
            return ""
        if channel.exit_status < 0:
            return ""
        said = channel.recv_stderr(LAST_WORDS_BYTES).decode(errors="replace") if channel.recv_stderr_ready() else ""
        colon = ": " if said.strip() else ""
        return f"gave no answer over ssh: {_COMMAND} ended with {channel.exit_status}{colon}{one_line(said)}"

    def end(self) -> None:
        """End every wait. May be called from any thread, and never blocks."""
        if self._adapter:
            self._adapter.hang_up()

    def release(self) -> None:
        """End the session and its thread."""
        if self._adapter:
            self._adapter.release()


class _Adapter(SSHHTTPAdapter):
    """The SDK's adapter, which reads ~/.ssh and logs in; here it gets bounds, and words for what goes wrong."""

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
            # its thread looks whether it has to end ten times a second, or at once when its socket is shut down
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
        # its exceptions say everything; the SDK has just set the level of paramiko's log
        logging.getLogger("paramiko").setLevel(logging.CRITICAL)
        self.ssh_client.set_missing_host_key_policy(_Refusal())
        given = self.ssh_params
        given["port"] = int(given["port"] or paramiko.config.SSH_PORT)
        # ssh itself ignores key files that do not exist, and paramiko does not
        given["key_filename"] = [name for name in given.get("key_filename", ()) if Path(name).is_file()]
        # each step has a bound of its own too, in case the alarm rings before there is anything to cut off
        longest = 2 * self._alarm.seconds
        given |= {"timeout": longest, "banner_timeout": longest, "auth_timeout": longest, "channel_timeout": longest}

    def _connect(self) -> None:
        try:
            with self._alarm.cutting(self.hang_up):
                # the client's own agent has no timeout, and there is no public way to give it another one
                self.ssh_client._agent = self._agent = _Agent(self._alarm.seconds)
                super()._connect()  # type: ignore[misc]
        except BaseException as error:
            words = self._words(error)
            self.release()
            if words:
                raise Trouble(words) from error
            raise

    def _words(self, error: BaseException) -> str:
        """Return in words why the login failed, or nothing if the error does not come from ssh."""
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
        # what follows these words changes by chance, or cannot be trusted
        is_other = "protocol banner" in said or "protocol version" in said
        return "does not speak ssh" if is_other else f"failed over ssh: {said}"

    def _known_name(self) -> str:
        """Return the host's name in the form that known_hosts uses."""
        host, port = self.ssh_params["hostname"], self.ssh_params["port"]
        return f"{host}" if port == paramiko.config.SSH_PORT else f"[{host}]:{port}"


class _Agent(paramiko.Agent):
    """The user's ssh agent, with a bound for its answers."""

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
    """Refuses a host whose key is not in known_hosts."""

    def missing_host_key(self, _client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        raise Trouble(
            f"shows a host key that ~/.ssh/known_hosts does not have for {hostname}: {key.get_name()} {key.fingerprint}"
        )


class _Alarm:
    """A time for several steps together. The step that is under way when the time is up is cut off."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._deadline = time.monotonic() + seconds

    @contextlib.contextmanager
    def cutting(self, cut: Callable[[], None]) -> Iterator[None]:
        """Cut the step in this block off when the time is up. Raises Trouble then, whatever the step raised."""
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
    """A paramiko channel that reads like a socket: it returns what is there as soon as something is there.

    Closing it leaves the channel open, because http.client closes before the last answer has been read.
    """

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel
        self.settimeout = channel.settimeout
        self.sendall = channel.sendall

    def makefile(self, _mode: str, buffering: int) -> "_ChannelFile":
        return _ChannelFile(self._channel)

    def close(self) -> None:
        """Do nothing: the session closes the channel."""


class _ChannelFile(io.RawIOBase):
    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        received = self._channel.recv(len(buffer))
        buffer[: len(received)] = received
        return len(received)
