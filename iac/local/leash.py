"""Become a command that the kernel signals when its launcher dies.

Run as a script, never imported: `python -I -S leash.py LAUNCHER SIGNAL UID GID COMMAND...`. It
stands between fork and exec because a Popen preexec_fn is unsafe while the launcher has threads,
and because changing the user clears the parent-death signal: it has to be asked for afterwards.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def become_command(arguments: list[str]) -> None:
    """Drop to the user asked for (-1: stay), tie this process to its launcher, exec."""
    launcher, death_signal, uid, gid = (int(word) for word in arguments[:4])
    command = arguments[4:]
    if uid >= 0:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != launcher:  # it died before the signal was asked for
        sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 (a shell would add a process)


if __name__ == "__main__":
    become_command(sys.argv[1:])
