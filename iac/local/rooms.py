"""The fifteen rooms, and the port each one listens on when served alone."""

PORTS = {
    "api_gateway": 8000,
    "data_bridge": 8001,
    "performance_analytics": 8002,
    "ai_orchestration": 8003,
    "deep_learning": 8004,
    "ai_provider": 8005,
    "ml_processing": 8006,
    "trading_engine": 8007,
    "database_service": 8008,
    "user_service": 8009,
    "user_management": 8021,
    "subscription_service": 8022,
    "payment_gateway": 8023,
    "notification_service": 8024,
    "billing_service": 8025,
}
ROOMS = tuple(PORTS)
