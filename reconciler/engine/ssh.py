"""I/O: a connection through `docker system dial-stdio` on the other side of ssh. Every step has a bound.

It is imported for an ssh:// URL only, because paramiko is an extra.
"""

import io
from typing import Any

import paramiko

from reconciler.core.engine_url import EngineUrl
from reconciler.engine.alarm import Alarm
from reconciler.engine.errors import Trouble, is_stuck, one_line
from reconciler.engine.ssh_login import SshSession

LAST_WORDS_SECONDS = 1.0
LAST_WORDS_BYTES = 200
_COMMAND = "docker system dial-stdio"


class SshChannel:
    """An ssh session of its own with one channel in it, and how to explain, end and release it."""

    def __init__(self, url: EngineUrl, seconds: float) -> None:
        """Connect, log in and start the command, all within a time. Raises Trouble or OSError."""
        alarm = Alarm(seconds)
        self._session = SshSession(url, alarm)
        try:
            with alarm.cutting(self._session.hang_up):
                self._channel = self._session.open_channel()
                self._channel.exec_command(_COMMAND)
        except BaseException as error:
            self.release()
            if isinstance(error, (paramiko.SSHException, EOFError)):
                raise Trouble(f"does not run `{_COMMAND}` over ssh: {one_line(str(error))}") from error
            raise
        self.sock = _ChannelSocket(self._channel)
        self.limit = self._session.limit
        self.end = self._session.hang_up

    def words(self, error: BaseException) -> str:
        """Return in words how the command ended, if its end caused the error, or nothing."""
        if trouble := self._session.trouble():
            return trouble.reason
        channel = self._channel
        if is_stuck(error) or not channel.status_event.wait(LAST_WORDS_SECONDS) or channel.exit_status < 0:
            return ""
        said = channel.recv_stderr(LAST_WORDS_BYTES).decode(errors="replace") if channel.recv_stderr_ready() else ""
        colon = ": " if said.strip() else ""
        return f"gave no answer over ssh: `{_COMMAND}` ended with {channel.exit_status}{colon}{one_line(said)}"

    def release(self) -> None:
        """End the session and its thread."""
        self._session.release()


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
