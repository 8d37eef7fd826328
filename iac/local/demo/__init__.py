"""The demo: one real trading day through the whole product, and the books balanced at the end."""
