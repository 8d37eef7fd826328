"""The edge as it runs on its host: configuration, logs, clock, and the loop that ties it up."""
