"""The edge's link to the cloud: a durable journal, a publisher out of it, an inbox into it."""
