"""Room card: ai_orchestration (port 8003 alone).

Purpose: judges every closed bar once: features, model, agents' views, calibration, abstention.
Events in: BarClosed, ModelPromoted, ViewPublished, PredictionDelivered.
Events out: SignalIssued, SignalWithheld (exactly one of them a bar).
Tables owned: active_models, views, decisions (platform-wide), deliveries (a tenant's).
Bucket: MODELS_BUCKET (reads models/).
"""
