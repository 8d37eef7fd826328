"""What may be tried: small, regularised models, because the edge is weak and the noise is not."""

from collections.abc import Callable
from typing import Any, Protocol


class Classifier(Protocol):
    """What the training needs of a scikit-learn estimator."""

    def fit(self, features: Any, answers: Any) -> Any:
        """Learn."""

    def predict_proba(self, features: Any) -> Any:
        """Probabilities (n, 2)."""


def make_logistic(_seed: int) -> Classifier:
    """Scaled logistic regression with strong shrinkage."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model: Classifier = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.01, max_iter=500, tol=1e-6)
    )
    return model


def make_boosting(seed: int) -> Classifier:
    """A few shallow boosted trees with large leaves."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    model: Classifier = HistGradientBoostingClassifier(
        max_iter=60,
        learning_rate=0.05,
        max_leaf_nodes=8,
        min_samples_leaf=150,
        l2_regularization=10.0,
        early_stopping=False,
        random_state=seed,
    )
    return model


CANDIDATES: dict[str, Callable[[int], Classifier]] = {
    "logistic_regression": make_logistic,
    "hist_gradient_boosting": make_boosting,
}
