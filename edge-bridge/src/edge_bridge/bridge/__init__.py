"""Market data: validate ticks, build bars, batch both for the queue and the bus."""
