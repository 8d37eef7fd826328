"""One worker process for each account's terminal, and the watch over them.

The terminal's own library has one pipe a process, holds the interpreter during every call and
knows no timeout. So each account lives in a process of its own, the host talks to it over a socket
without ever waiting, and a worker that falls silent is killed and started again.
"""
