"""Room card: deep_learning (port 8004 alone).

Purpose: neural nets: training, inference, patterns, anomalies. Not built yet: the room has its
    door, and the door says so.
Events in: none. Events out: none. Tables owned: none.
"""
