"""The WebSocket stream of port 8001: ticks, bars and each tenant's own books, health and metrics.

Host threads publish into a `Hub` and never wait; `StreamServer` runs an event loop in a thread of
its own and hands on. The protocol is told in docs/stream.md.
"""
