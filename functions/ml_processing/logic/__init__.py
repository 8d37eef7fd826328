"""Decisions of ml_processing, split by step: examples, walk-forward, export, the training."""

from functions.ml_processing.logic.train import train_model

__all__ = ["train_model"]
