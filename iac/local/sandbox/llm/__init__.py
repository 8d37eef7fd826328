"""LLM sandboxes: one deterministic analyst behind four vendors' wire formats."""
