"""What crosses a process: envelopes, ids, money and one module of messages a service.

Standard library and pydantic only, so that every side (Lambda rooms, edge, tests) can import it.
"""
