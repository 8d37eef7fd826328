"""Room card: data_bridge (port 8001 alone; the bridge itself runs on the edge host).

Purpose: stores the edge's ticks and serves ticks and candles.
Events in: TickBatch, straight from the edge on the market-data queue; packed or in columns.
Events out: none (the edge publishes BarClosed).
Tables owned: ClickHouse ticks, tick_batches (platform rows: the nil tenant).
"""
