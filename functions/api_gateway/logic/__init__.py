"""Decisions of api_gateway, one subject a module; pure, so that each can be tested alone."""
