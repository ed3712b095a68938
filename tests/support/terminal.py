"""A program on a terminal of a given size, whose keyboard is ours: what it draws, what it leaves behind."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

PATIENCE = 60  # seconds; what is waited for comes in far less


class Terminal:
    def __init__(self, command, columns, lines, environment=None):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            for name, value in (environment or {}).items():
                os.environ[name] = value
            # the program is not to begin before its terminal has a size
            while os.get_terminal_size(1).columns != columns:
                time.sleep(0.01)
            os.execvp(command[0], command)
        self.settings = termios.tcgetattr(self.fd)
        self.said = b""
        self.resize(columns, lines)

    def resize(self, columns, lines):
        """As an emulator does: the kernel signals it."""
        self.size = columns, lines
        self.mark = len(self.said)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            piece = os.read(self.fd, 65536)
        except OSError:  # its other end is closed
            piece = b""
        self.said += piece
        return piece != b""

    def wait(self, what, text):
        """Until `text` (a regular expression) is on a page drawn since the last change of size."""
        end = time.monotonic() + PATIENCE
        while not any(re.search(text, page) for page in self.pages()):
            if time.monotonic() > end:
                raise AssertionError("%s: there is no /%s/ in %r" % (what, text, self.said[-3000:]))
            self.read(0.5)

    def pages(self):
        """Pages that are whole, as texts: each begins at the home position and ends by clearing what is below."""
        text = self.said[self.mark :].decode()
        whole = re.findall(r"\x1b\[H(?!\x1b\[2J)(.*?)\x1b\[J", text, re.S)
        return [re.sub(r"\x1b\[[0-9;]*[mK]", "", page).replace("\r\n", "\n") for page in whole]

    def type(self, keys):
        os.write(self.fd, keys)

    def signal(self, number):
        os.kill(self.pid, number)

    def until_stopped(self):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG | os.WUNTRACED)
            if pid:
                assert os.WIFSTOPPED(status), status
                return
            self.read(0.05)
        raise AssertionError("it was not stopped")

    def end(self):
        """The exit code, or minus the signal, once it has ended."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self.read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                while self.read(0):
                    pass
                return os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
        os.kill(self.pid, signal.SIGKILL)
        raise AssertionError("it did not end")

    def restored(self):
        """The settings are those of the beginning, the first screen and the cursor are back."""
        last = {mode: max(self.said.rfind(b"\x1b[?%s%s" % (mode, sign)) for sign in (b"h", b"l")) for mode in (b"1049", b"25")}
        shown = self.said[last[b"25"] :].startswith(b"\x1b[?25h") and self.said[last[b"1049"] :].startswith(b"\x1b[?1049l")
        return shown and termios.tcgetattr(self.fd) == self.settings

    def becomes_restored(self):
        """What a program wrote before it stood still may reach the other end of a terminal only after that."""
        end = time.monotonic() + PATIENCE
        while not self.restored() and time.monotonic() < end:
            self.read(0.05)
        return self.restored()
