"""To ONNX and back: an artifact is only worth as much as its agreement with what was fitted."""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from contracts.ml_processing import GoldenVector
from functions.ml_processing.errors import ParityBroken

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

OPSET = 18
ML_OPSET = 3
MAX_DIFFERENCE = 1e-4
GOLDEN_ROWS = 8
LIBRARIES = ("numpy", "scikit-learn", "skl2onnx", "onnx", "onnxruntime")


def export_onnx(model: Any, features: "NDArray[np.float32]") -> bytes:
    """Write the model as ONNX: float32 in, a tensor of probabilities out, batch size open."""
    from skl2onnx import to_onnx

    proto = to_onnx(
        model,
        features[:1],
        name="direction",
        target_opset={"": OPSET, "ai.onnx.ml": ML_OPSET},
        options={"zipmap": False},
    )
    return bytes(proto.SerializeToString(deterministic=True))


def open_session(artifact: bytes) -> Any:
    """One-threaded inference session."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(artifact, options, providers=["CPUExecutionProvider"])


def predict_raw(session: Any, features: "NDArray[np.float32]") -> "NDArray[np.float64]":
    """Probability of a rise, as the artifact answers."""
    import numpy as np

    name = session.get_inputs()[0].name
    answer = session.run(["probabilities"], {name: features})[0]
    return np.asarray(answer[:, 1], dtype=np.float64)


def check_parity(model: Any, session: Any, features: "NDArray[np.float32]") -> float:
    """Largest difference between model and artifact. Raises ParityBroken over MAX_DIFFERENCE."""
    import numpy as np

    fitted = model.predict_proba(features)[:, 1]
    worst = float(np.max(np.abs(fitted - predict_raw(session, features))))
    if not worst <= MAX_DIFFERENCE:
        raise ParityBroken(f"differs by {worst:.2e} on {len(features)} rows")
    return worst


def choose_golden(session: Any, features: "NDArray[np.float32]") -> tuple[GoldenVector, ...]:
    """Rows spread over the data, each with the artifact's own answer."""
    import numpy as np

    golden = []
    for at in np.linspace(0, len(features) - 1, GOLDEN_ROWS).astype(int):
        row = features[at : at + 1]
        golden.append(
            GoldenVector(
                features=tuple(float(value) for value in row[0]),
                raw_probability=float(predict_raw(session, row)[0]),
            )
        )
    return tuple(golden)


def list_libraries() -> dict[str, str]:
    """Versions of what took part."""
    return {name: version(name) for name in LIBRARIES}
