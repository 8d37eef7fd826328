"""What every terminal must do, as checks that run against any: the simulated one in the tests, a
real demo account with `python -m edge_bridge.conformance` on the Windows host.
"""
