"""Trading at the edge: who gets a signal, how large, within which limits, what became of it.

Pure over ports: the engine sees terminals, a journal and two clocks, and nothing of the network.
"""
