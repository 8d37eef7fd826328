"""Technical pieces that the rooms share: doors, transactions, stores, errors, clocks."""
