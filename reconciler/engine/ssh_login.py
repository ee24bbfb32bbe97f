"""I/O: an ssh session after its login. Every step has a bound, and what is received has a limit.

paramiko alone would wait for ever for a host that says nothing, for the reply to a command and for an
agent, and would keep everything that a server sends.
"""

import contextlib
import logging
import os
import socket
from getpass import getuser
from typing import Any

import paramiko
from paramiko.agent import AgentSSH

from reconciler.core.engine_url import EngineUrl
from reconciler.engine.alarm import Alarm
from reconciler.engine.errors import Trouble, is_stuck, one_line
from reconciler.engine.ssh_files import known_keys, login_for
from reconciler.engine.wire import Allowance, Meter, connect_tcp, connect_unix

JOIN_SECONDS = 2.0
RECEIVE_BYTES = 1 << 20
_COMPLAINT = "sent more over ssh than it was asked for"
_LOGIN = Allowance(most_bytes=1 << 20, complaint=_COMPLAINT)
_BESIDE_AN_ANSWER_BYTES = 4 << 20
"""Room for what a server may have sent in advance (paramiko's window is 2 MiB), and for what ssh adds to packets."""

# its exceptions say everything
logging.getLogger("paramiko").setLevel(logging.CRITICAL)


class SshSession:
    """A session that is logged in as the URL and ~/.ssh say."""

    def __init__(self, url: EngineUrl, alarm: Alarm) -> None:
        """Log in. Raises Trouble or OSError."""
        self._alarm = alarm
        self._login = alarm.wait_for(lambda: login_for(url))
        self._meter = Meter(_LOGIN)
        self._agent: _Agent | None = None
        self._sock: _MeteredSocket | None = None
        self._client = paramiko.SSHClient()
        self._client.set_missing_host_key_policy(_Refusal())
        for kind, key in known_keys(self._login.known_name).items():
            self._client.get_host_keys().add(self._login.known_name, kind, key)
        try:
            with alarm.cutting(self.hang_up):
                self._connect()
        except BaseException as error:
            words = self._words(error)
            self.release()
            if words:
                raise Trouble(words) from error
            raise

    def open_channel(self) -> paramiko.Channel:
        """Open a channel for one command. Raises SSHException or EOFError."""
        transport = self._client.get_transport()
        if transport is None:
            raise EOFError
        return transport.open_session()

    def limit(self, most_bytes: int) -> None:
        """Start counting what is received again, for an answer of at most `most_bytes`."""
        allowed = most_bytes + _BESIDE_AN_ANSWER_BYTES
        self._meter.allow(Allowance(most_bytes=allowed, complaint=_COMPLAINT))

    def trouble(self) -> Trouble | None:
        """Return what is wrong if more was received than the limit."""
        return self._meter.trouble()

    def hang_up(self) -> None:
        """End every wait. May be called from any thread, and never blocks."""
        # the session's thread looks whether it has to end ten times a second, or at once when its socket is shut down
        if self._sock:
            self._sock.shut_down()
        if transport := self._client.get_transport():
            transport.close()

    def release(self) -> None:
        """End the session, its thread and its proxy command."""
        self.hang_up()
        if transport := self._client.get_transport():
            transport.join(JOIN_SECONDS)
        self._client.close()
        if self._agent:
            self._agent.close()
        if self._sock:
            self._sock.release()

    def _connect(self) -> None:
        login, seconds = self._login, self._alarm.seconds
        # the client's own agent has no timeout, and there is no public way to give it another one
        self._client._agent = self._agent = _Agent(seconds)  # type: ignore[attr-defined]
        self._sock = _MeteredSocket(self._raw_socket(), self._meter)
        # each step has a bound of its own too, in case the alarm rings before there is anything to cut off
        bounds = dict.fromkeys(("timeout", "banner_timeout", "auth_timeout", "channel_timeout"), 2 * seconds)
        more: dict[str, Any] = {"key_filename": list(login.key_files), "sock": self._sock, **bounds}
        self._client.connect(login.host, login.port, login.user, **more)

    def _raw_socket(self) -> "socket.socket | paramiko.ProxyCommand":
        """Connect to the machine, or start the proxy command that leads there."""
        if not self._login.proxy_command:
            return connect_tcp(self._login.host, self._login.port, self._alarm.left)
        try:
            return paramiko.ProxyCommand(self._login.proxy_command)
        except (OSError, ValueError, IndexError) as error:
            words = f"the ProxyCommand of ~/.ssh/config cannot be run: {one_line(str(error))}"
            raise Trouble(f"cannot be asked over ssh: {words}") from error

    def _words(self, error: BaseException) -> str:
        """Return in words why the login failed, or nothing if the error does not come from ssh."""
        if trouble := self._meter.trouble():
            return trouble.reason
        if isinstance(error, paramiko.BadHostKeyException):
            key = f"{error.key.get_name()} {error.key.fingerprint}"
            return f"shows another host key than ~/.ssh/known_hosts has for {self._login.known_name}: {key}"
        if isinstance(error, OSError) and error.filename:
            return f"cannot be asked over ssh: {one_line(str(error.filename))}: {(error.strerror or '').lower()}"
        if not isinstance(error, (paramiko.SSHException, EOFError)):
            return ""
        said = one_line(str(error)) or "it hung up"
        transport = self._client.get_transport()
        if transport and transport.initial_kex_done:
            user = self._login.user or _own_name()
            return f"does not let {user} in with any key of the ssh agent or of ~/.ssh: {said}"
        # what follows these words changes by chance, or cannot be trusted
        is_other = "protocol banner" in said or "protocol version" in said
        return "does not speak ssh" if is_other else f"failed over ssh: {said}"


class _MeteredSocket:
    """What paramiko reads from: a socket or a proxy command, in pieces of a bounded size that are counted."""

    def __init__(self, raw: Any, meter: Meter) -> None:
        self._raw = raw
        self._meter = meter
        self.send = raw.send
        self.settimeout = raw.settimeout

    @property
    def _closed(self) -> bool:
        # paramiko reads this while it ends its thread
        return bool(self._raw._closed)

    def recv(self, size: int) -> bytes:
        received: bytes = self._raw.recv(min(size, RECEIVE_BYTES))
        try:
            self._meter.take(len(received))
        except Trouble as error:
            raise EOFError from error
        return received

    def close(self) -> None:
        """Close it. A proxy command is ended by its own object: its number may belong to another process by now."""
        if isinstance(self._raw, paramiko.ProxyCommand):
            self._raw.process.terminate()
        else:
            self._raw.close()

    def shut_down(self) -> None:
        """End a read that is under way."""
        with contextlib.suppress(OSError, AttributeError):
            self._raw.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        """End a proxy command for certain."""
        if isinstance(self._raw, paramiko.ProxyCommand):
            with self._raw.process as process:
                process.kill()
        self.close()


class _Agent(paramiko.Agent):
    """The user's ssh agent, with a bound for its answers."""

    def __init__(self, seconds: float) -> None:
        # the inherited constructor is not called, because it waits without a bound
        AgentSSH.__init__(self)
        try:
            conn = connect_unix(os.environ.get("SSH_AUTH_SOCK", ""), seconds)
        except OSError:
            # there is none, or it is gone
            return
        conn.settimeout(seconds)
        try:
            self._connect(conn)  # type: ignore[attr-defined]
        except OSError as error:
            conn.close()
            raise Trouble("cannot be asked over ssh: the ssh agent does not answer", stuck=is_stuck(error)) from error


class _Refusal(paramiko.MissingHostKeyPolicy):
    """Refuses a host whose key is not in known_hosts."""

    def missing_host_key(self, _client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        raise Trouble(
            f"shows a host key that ~/.ssh/known_hosts does not have for {hostname}: {key.get_name()} {key.fingerprint}"
        )


def _own_name() -> str:
    """Return the name of the user who runs this process."""
    try:
        return getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
