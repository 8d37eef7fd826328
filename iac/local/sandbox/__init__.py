"""Provider sandboxes: the outside vendors of Sinyal, on loopback, with faults on demand.

`python -m iac.local.sandbox` runs all of them in one process and one event loop. Each speaks its
provider's wire format well enough for the provider's own client library, and each has the same
control face (`/_sandbox/...`, see control.py). State lives in memory only, in bounded stores.
"""
