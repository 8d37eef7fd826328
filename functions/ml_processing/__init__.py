"""Room card: ml_processing (port 8006 alone).

Purpose: trains direction models walk-forward, says honestly what they are worth, exports them to
    ONNX with a parity check, and keeps the registry of what may be served.
Events in: TrainModel (command).
Events out: ModelPromoted, TrainingFailed.
Tables owned: trainings, models. Bucket: MODELS_BUCKET (datasets/, models/).
"""
