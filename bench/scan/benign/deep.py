"""Benign files of Keras, TensorFlow and MLflow.

python -m bench.scan.benign.deep FOLDER
"""

from __future__ import annotations

import os
import shutil
import warnings
from typing import Any

from bench.scan.benign.writing import Folder, library, main


def networks() -> dict[str, Any]:
    """Small Keras models of every kind of layer."""
    keras = library("keras")
    layers = keras.layers
    x = keras.Input((8,))
    functional = keras.Model(
        x, layers.Add()([layers.Dense(4, activation="relu")(x), layers.Dense(4, kernel_regularizer="l2")(x)])
    )
    return {
        "dense": keras.Sequential([keras.Input((8,)), layers.Dense(4, activation="gelu"), layers.Dropout(0.1), layers.Dense(1)]),
        "conv": keras.Sequential([keras.Input((16, 16, 3)), layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU(), layers.GlobalAveragePooling2D(), layers.Dense(2, activation="softmax")]),
        "lstm": keras.Sequential([keras.Input((5, 4)), layers.Bidirectional(layers.LSTM(4)), layers.Dense(1)]), "embedding": keras.Sequential([keras.Input((5,)), layers.Embedding(20, 4), layers.GRU(3), layers.LayerNormalization()]),
        "functional": functional, "attention": keras.Model(q := keras.Input((5, 4)), layers.MultiHeadAttention(2, 4)(q, q)), "time": keras.Sequential([keras.Input((5, 4)), layers.TimeDistributed(layers.Dense(2)), layers.Flatten()]),
        "augment": keras.Sequential([keras.Input((8, 8, 3)), layers.Rescaling(1 / 255), layers.RandomFlip(), layers.Normalization()]), "separable": keras.Sequential([keras.Input((8, 8, 3)), layers.SeparableConv2D(4, 3), layers.PReLU(), layers.UpSampling2D(), layers.Reshape((-1,))]),
        "nested": keras.Sequential([keras.Input((8,)), functional, layers.Activation("tanh")]), "lookup": keras.Sequential([keras.Input((1,), dtype="string"), layers.StringLookup(vocabulary=["a", "b"])]),
    }  # fmt: skip


def keras_models(folder: Folder) -> None:
    """.keras, .h5, weights, SavedModel, JSON."""
    keras = library("keras")
    for name, model in networks().items():

        def one(name: str = name, model: Any = model) -> None:
            if name not in ("lookup", "augment"):
                model.compile(optimizer="adam", loss="mse", metrics=["mae"])
            model.save(str(folder.file(f"keras/{name}.keras", f"keras {keras.__version__}: {name}", "keras")))
            folder.text(f"keras/{name}.json", model.to_json(), f"keras json: {name}", "keras")
            model.save_weights(
                str(folder.file(f"keras/{name}.weights.h5", f"keras weights: {name}", "keras"))
            )
            model.save(str(folder.file(f"keras/{name}.h5", f"keras h5: {name}", "keras")))
            place = folder.file(f"keras/{name}-saved/saved_model.pb", f"SavedModel: {name}", "tf")
            model.export(str(place.parent), verbose=False)
            for other in (
                "fingerprint.pb",
                "variables/variables.index",
                "variables/variables.data-00000-of-00001",
            ):
                folder.file(f"keras/{name}-saved/{other}", f"SavedModel: {other}", "tf")

        folder.attempt(one, name)


def tensorflow(folder: Folder) -> None:
    """Modules, checkpoints, TFLite, TFRecord."""
    tf = library("tensorflow")
    base: Any = tf.Module

    class Scale(base):  # type: ignore[misc]  # an untyped library
        def __init__(self) -> None:
            super().__init__()
            self.w = tf.Variable([1.0, 2.0])

        @tf.function(input_signature=[tf.TensorSpec([None, 2])])  # type: ignore[untyped-decorator]
        def __call__(self, x: Any) -> Any:
            return tf.cond(tf.reduce_sum(x) > 0, lambda: x * self.w, lambda: -x)

    scale = Scale()

    def module() -> None:
        place = folder.file("tf/module/saved_model.pb", "tf.Module", "tf")
        tf.saved_model.save(scale, str(place.parent))

    def checkpoint() -> None:
        place = folder.file("tf/checkpoint/ckpt-1.index", "tf checkpoint", "tf")
        tf.train.Checkpoint(v=tf.Variable(1.0)).write(str(place.parent / "ckpt-1"))
        folder.file("tf/checkpoint/ckpt-1.data-00000-of-00001", "tf checkpoint data", "tf")

    def lite() -> None:
        made = tf.lite.TFLiteConverter.from_concrete_functions(
            [scale.__call__.get_concrete_function()], scale
        ).convert()
        folder.file("tf/model.tflite", "tflite", "misc").write_bytes(made)

    def records() -> None:
        with tf.io.TFRecordWriter(str(folder.file("tf/data.tfrecord", "tfrecord", "misc"))) as out:
            out.write(b"example")

    def graph() -> None:
        definition = scale.__call__.get_concrete_function().graph.as_graph_def()
        folder.file("tf/frozen.pb", "frozen graph", "tf").write_bytes(definition.SerializeToString())

    for part in (module, checkpoint, lite, records, graph):
        folder.attempt(part, part.__name__)


def mlflow_models(folder: Folder) -> None:
    """MLflow model folders."""
    sklearn = library("mlflow.sklearn")
    linear, ensemble = library("sklearn.linear_model"), library("sklearn.ensemble")
    for name, model in {
        "linear": linear.LinearRegression(),
        "forest": ensemble.RandomForestRegressor(3),
    }.items():
        for form in ("pickle", "cloudpickle", "skops"):

            def one(name: str = name, model: Any = model, form: str = form) -> None:
                place = folder.root / f"mlflow/{name}-{form}"
                shutil.rmtree(place, ignore_errors=True)
                sklearn.save_model(
                    model.fit([[1], [2]], [1, 2]),
                    str(place),
                    serialization_format=form,
                    pip_requirements=["scikit-learn"],
                )
                for written in sorted(place.rglob("*")):
                    if written.is_file():
                        folder.file(
                            str(written.relative_to(folder.root)), f"mlflow {form}: {written.name}", "package"
                        )

            folder.attempt(one, f"mlflow {name} {form}")


def write(folder: Folder) -> None:
    """Everything."""
    warnings.simplefilter("ignore")
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    for part in (keras_models, tensorflow, mlflow_models):
        folder.attempt(lambda part=part: part(folder), part.__name__)


if __name__ == "__main__":
    main(write)
