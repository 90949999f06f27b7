"""Benign files of NumPy, SciPy, scikit-learn, pandas, boosting libraries and statsmodels, whatever versions are installed.

    python -m bench.scan.benign.tables FOLDER

Every estimator that scikit-learn knows is fitted on a small data set and saved; protocols and ways of saving take turns.
"""

from __future__ import annotations

import datetime as dt
import decimal
import fractions
import inspect
import pathlib
import pickle
import sys
import uuid
import warnings
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from typing import Any

from bench.scan.benign.writing import Folder, library, main

Point = namedtuple("Point", "x y")
WAYS = ("pickle0", "pickle2", "pickle3", "pickle4", "pickle5", "joblib", "joblib-zlib", "joblib-gzip", "joblib-bz2", "joblib-xz", "joblib-lzma")  # fmt: skip


def save(folder: Folder, thing: Any, name: str, way: str, technique: str, tier: str = "core") -> None:
    """`thing` saved in one of the ways."""
    extension = {
        "pickle0": "pkl",
        "pickle2": "sav",
        "pickle3": "pickle",
        "pickle4": "pkl",
        "pickle5": "p",
    }.get(way, "joblib")
    target = folder.file(f"{name}.{way}.{extension}", f"{technique} by {way}", "pickle", tier)
    if way.startswith("pickle"):
        target.write_bytes(pickle.dumps(thing, protocol=min(int(way[-1]), pickle.HIGHEST_PROTOCOL)))
        return
    method = way.partition("-")[2]
    library("joblib").dump(thing, str(target), compress=(method, 3) if method else 0)


def standard(folder: Folder) -> None:
    """What Python itself brings."""
    things = {
        "dict": {"a": 1, "b": [1.5, None, True], "c": (b"bytes", {"x"}, frozenset("y"))},
        "collections": [OrderedDict(a=1), defaultdict(list, a=[1]), Counter("aabb"), deque([1, 2], 5)],
        "times": [
            dt.datetime(2026, 1, 2, 3, tzinfo=dt.timezone.utc),
            dt.timedelta(1),
            dt.date(2026, 1, 2),
        ],
        "numbers": [
            decimal.Decimal("1.5"),
            fractions.Fraction(1, 3),
            complex(1, 2),
            2**200,
            float("inf"),
            -(2**31),
        ],
        "paths": [pathlib.PurePosixPath("/a/b"), pathlib.PurePosixPath("c")],
        "uuid": uuid.UUID(int=86),
        "text": [
            "os.system('rm -rf /')",
            "eval",
            "subprocess.Popen",
            "__import__('os')",
            "c__builtin__\neval\n",
            "\u202e",
            "\ud800",
        ],
        "deep": None,
        "wide": {f"layer.{n}.weight": n / 7 for n in range(20_000)},
        "bytes": [bytes(range(256)) * 64, bytearray(b"x" * 1000)],
        "shared": None,
        "slices": [slice(1, 2), range(9), Ellipsis, NotImplemented, complex(0, 1)],
    }
    deep: Any = []
    for _ in range(60):
        deep = [deep, {"n": deep}] if len(str(deep)) < 2000 else [deep]
    one = ["x"]
    cyclic: list[Any] = [one, one]
    cyclic.append(cyclic)
    things["deep"], things["shared"] = deep, cyclic
    for number, (label, thing) in enumerate(things.items()):
        for way in (WAYS[number % 5], WAYS[(number + 3) % 5]):
            folder.attempt(
                lambda label=label, thing=thing, way=way: save(
                    folder, thing, f"standard/{label}", way, f"standard library: {label}"
                ),
                label,
            )


def arrays(folder: Folder) -> None:
    """NumPy and SciPy."""
    numpy = library("numpy")
    rng = numpy.random.RandomState(86)
    things: dict[str, Any] = {
        "float": rng.rand(20, 30), "int": numpy.arange(99), "fortran": numpy.asfortranarray(rng.rand(9, 9)), "empty": numpy.zeros((0, 3)), "scalar": numpy.float32(1.5), "scalars": [numpy.int64(3), numpy.bool_(True), numpy.datetime64("2026-01-01")],
        "bool": rng.rand(9) > 0.5, "complex": rng.rand(4) + 1j, "text": numpy.array(["a", "bcd"]), "bytes": numpy.array([b"a", b"bcd"]), "times": numpy.array(["2026-01-01"], dtype="M8[s]"), "half": rng.rand(5).astype("f2"), "big-endian": rng.rand(5).astype(">f8"),
        "structured": numpy.zeros(4, dtype=[("a", "f4"), ("b", "i8", (2,))]), "object": numpy.array([1, "x", None, [1, 2]], dtype=object), "masked": numpy.ma.masked_array(rng.rand(4), mask=[0, 1, 0, 0]), "matrix": numpy.matrix([[1, 2]]), "dtype": numpy.dtype("f4"),
        "dtypes": [numpy.float32, numpy.int8, numpy.dtype([("a", "f4")])], "random-state": rng, "poly": numpy.poly1d([1, 2, 3]), "record": numpy.rec.array([(1, 2.0)], dtype=[("x", int), ("y", float)]), "chebyshev": numpy.polynomial.Chebyshev([1, 2]), "ufunc": numpy.add,
        "state-dict": {"w": rng.rand(64, 64).astype("f4"), "b": rng.rand(64), "meta": {"epoch": 3}},
    }  # fmt: skip
    if hasattr(numpy.random, "default_rng"):
        things["generator"] = numpy.random.default_rng(1)
    for number, (label, thing) in enumerate(things.items()):
        for step in (0, 4, 7):
            way = WAYS[(number + step) % len(WAYS)]
            folder.attempt(
                lambda label=label, thing=thing, way=way: save(
                    folder, thing, f"numpy/{label}", way, f"numpy {numpy.__version__}: {label}"
                ),
                label,
            )
    for label, thing in things.items():
        if isinstance(thing, numpy.ndarray) and label != "masked":  # NumPy cannot write those
            numpy.save(
                str(folder.file(f"numpy/{label}.npy", f"numpy npy: {label}", "container")),
                thing,
                allow_pickle=True,
            )
    numpy.savez(
        str(folder.file("numpy/many.npz", "numpy npz", "container")), a=things["float"], b=things["int"]
    )
    numpy.savez_compressed(
        str(folder.file("numpy/packed.npz", "numpy compressed npz", "container")),
        a=things["float"],
        o=things["object"],
    )
    sparse = library("scipy.sparse")
    matrix = sparse.random(30, 30, 0.1, random_state=1)
    sparse.save_npz(str(folder.file("scipy/sparse.npz", "scipy sparse npz", "container")), matrix.tocsr())
    spatial, interpolate, stats = (
        library("scipy.spatial"),
        library("scipy.interpolate"),
        library("scipy.stats"),
    )
    objects: dict[str, Any] = {
        "csr": matrix.tocsr(), "csc": matrix.tocsc(), "coo": matrix, "lil": matrix.tolil(), "dok": matrix.todok(), "bsr": matrix.tobsr(), "dia": sparse.eye(5), "kdtree": spatial.cKDTree(rng.rand(30, 3)),
        "spline": interpolate.UnivariateSpline(numpy.arange(9), numpy.arange(9)), "bspline": interpolate.make_interp_spline(numpy.arange(9), rng.rand(9)), "pchip": interpolate.PchipInterpolator(numpy.arange(5), numpy.arange(5)), "rotation": library("scipy.spatial.transform").Rotation.from_quat([0, 0, 0, 1]),
        "kde": stats.gaussian_kde(rng.rand(40)), "frozen": stats.norm(1, 2), "hull": spatial.distance.pdist(rng.rand(5, 2)), "interp": interpolate.interp1d([0, 1], [2, 3]),
    }  # fmt: skip
    for number, (label, thing) in enumerate(objects.items()):
        way = WAYS[(2 * number) % len(WAYS)]
        folder.attempt(
            lambda label=label, thing=thing, way=way: save(
                folder, thing, f"scipy/{label}", way, f"scipy: {label}"
            ),
            label,
        )


def estimators(folder: Folder) -> None:
    """Every estimator of scikit-learn that a small table fits, and pipelines of some."""
    sklearn, numpy = library("sklearn"), library("numpy")
    discovery = library("sklearn.utils")
    names = getattr(discovery, "all_estimators", None) or library("sklearn.utils.discovery").all_estimators
    rng = numpy.random.RandomState(86)
    table, target = numpy.abs(rng.rand(60, 5)), rng.randint(0, 2, 60)
    linear, tree = library("sklearn.linear_model"), library("sklearn.tree")
    inner = {
        "estimator": tree.DecisionTreeClassifier(max_depth=2),
        "base_estimator": linear.LogisticRegression(),
        "estimators": [("a", linear.LogisticRegression()), ("b", tree.DecisionTreeClassifier(max_depth=2))],
    }

    def one(name: str, kind: Any, number: int) -> None:
        signature = inspect.signature(kind).parameters
        model = kind(
            **{
                key: inner[key]
                for key, told in signature.items()
                if key in inner and told.default is told.empty
            }
        )
        if "n_estimators" in model.get_params():
            model.set_params(n_estimators=4)
        model.fit(table, target)
        save(
            folder,
            model,
            f"sklearn/{name}",
            WAYS[number % len(WAYS)],
            f"scikit-learn {sklearn.__version__}: {name}",
        )

    for number, (name, kind) in enumerate(names()):
        folder.attempt(lambda name=name, kind=kind, number=number: one(name, kind, number), name)
    pipeline, processing, text = (
        library("sklearn.pipeline"),
        library("sklearn.preprocessing"),
        library("sklearn.feature_extraction.text"),
    )
    compose, search = library("sklearn.compose"), library("sklearn.model_selection")
    words = ["good model", "bad weights", "os system eval", "import exec"] * 5
    made: dict[str, Any] = {
        "pipeline": pipeline.make_pipeline(processing.StandardScaler(), linear.LogisticRegression()).fit(table, target),
        "union": pipeline.make_union(processing.StandardScaler(), processing.MinMaxScaler()).fit(table),
        "columns": compose.ColumnTransformer([("n", processing.StandardScaler(), [0, 1]), ("k", processing.KBinsDiscretizer(3), [2])]).fit(table),
        "tfidf": pipeline.make_pipeline(text.TfidfVectorizer(ngram_range=(1, 2)), linear.SGDClassifier()).fit(words, [0, 1, 0, 1] * 5),
        "counts": text.CountVectorizer(analyzer="char_wb", stop_words="english").fit(words),
        "hashing": text.HashingVectorizer(n_features=64),
        "search": search.GridSearchCV(tree.DecisionTreeClassifier(), {"max_depth": [1, 2]}, cv=2).fit(table, target),
        "function": processing.FunctionTransformer(numpy.log1p).fit(table),
        "folds": search.StratifiedKFold(3, shuffle=True, random_state=1),
        "scorer": library("sklearn.metrics").make_scorer(library("sklearn.metrics").f1_score),
        "bunch": library("sklearn.datasets").load_iris(),
    }  # fmt: skip
    for number, (name, model) in enumerate(made.items()):
        for step in (1, 6):
            way = WAYS[(number + step) % len(WAYS)]
            folder.attempt(
                lambda name=name, model=model, way=way: save(
                    folder, model, f"sklearn/made-{name}", way, f"scikit-learn: {name}"
                ),
                name,
            )


def frames(folder: Folder) -> None:
    """pandas."""
    pandas, numpy = library("pandas"), library("numpy")
    rng = numpy.random.RandomState(1)
    frame = pandas.DataFrame(
        {
            "a": [1, 2, 3],
            "b": list("xyz"),
            "c": pandas.Categorical(list("aab")),
            "d": pandas.date_range("2026-01-01", periods=3),
            "e": pandas.array([1, None, 3], dtype="Int64"),
        }
    )
    things: dict[str, Any] = {
        "frame": frame, "series": frame.a, "index": frame.set_index("b").index, "multi": frame.set_index(["a", "b"]), "periods": pandas.period_range("2026-01", periods=4, freq="M"), "intervals": pandas.interval_range(0, 4), "timestamp": pandas.Timestamp("2026-01-01", tz="UTC"),
        "timedelta": pandas.Timedelta("1 day"), "zoned": pandas.date_range("2026-01-01", periods=3, tz="Europe/Berlin"), "sparse": pandas.arrays.SparseArray([0, 0, 1]), "strings": pandas.array(["a", None], dtype="string"), "booleans": pandas.array([True, None], dtype="boolean"), "wide": pandas.DataFrame(rng.rand(100, 20)), "empty": pandas.DataFrame(), "offset": pandas.offsets.BusinessDay(2), "range": pandas.RangeIndex(5), "objects": pandas.Series([1, "a", None, [1]]),
    }  # fmt: skip
    for number, (label, thing) in enumerate(things.items()):
        for step in (0, 5):
            way = WAYS[(number + step) % len(WAYS)]
            folder.attempt(
                lambda label=label, thing=thing, way=way: save(
                    folder, thing, f"pandas/{label}", way, f"pandas {pandas.__version__}: {label}"
                ),
                label,
            )
    for ending in ("pkl.gz", "pkl.bz2", "pkl.xz", "pkl.zip"):
        frame.to_pickle(str(folder.file(f"pandas/frame.{ending}", f"pandas pickle {ending}", "container")))
    frame.drop(columns="e").to_csv(str(folder.file("pandas/frame.csv", "pandas csv", "everyday")))
    folder.attempt(
        lambda: frame.to_parquet(str(folder.file("pandas/frame.parquet", "pandas parquet", "misc"))),
        "parquet",
    )
    folder.attempt(
        lambda: frame.to_feather(str(folder.file("pandas/frame.feather", "pandas feather", "misc"))),
        "feather",
    )


def boosting(folder: Folder) -> None:
    """XGBoost, LightGBM, CatBoost and statsmodels, those that are installed."""
    numpy = library("numpy")
    rng = numpy.random.RandomState(2)
    table, target = rng.rand(60, 4), rng.randint(0, 2, 60)

    def xgboost() -> None:
        xgb = library("xgboost")
        for number, name in enumerate(("XGBClassifier", "XGBRegressor", "XGBRFClassifier")):
            model = getattr(xgb, name)(n_estimators=3).fit(table, target)
            save(
                folder,
                model,
                f"xgboost/{name}",
                WAYS[(number * 3 + 4) % len(WAYS)],
                f"xgboost {xgb.__version__}: {name}",
            )
            save(folder, model.get_booster(), f"xgboost/{name}-booster", WAYS[number + 1], "xgboost: Booster")
            for ending in ("json", "ubj", "model"):
                folder.attempt(
                    lambda model=model, name=name, ending=ending: model.save_model(
                        str(folder.file(f"xgboost/{name}.{ending}", f"xgboost {ending}", "misc"))
                    ),
                    ending,
                )

    def lightgbm() -> None:
        lgb = library("lightgbm")
        for number, name in enumerate(("LGBMClassifier", "LGBMRegressor")):
            model = getattr(lgb, name)(n_estimators=3, verbose=-1).fit(table, target)
            save(
                folder, model, f"lightgbm/{name}", WAYS[number * 5 + 3], f"lightgbm {lgb.__version__}: {name}"
            )
            save(folder, model.booster_, f"lightgbm/{name}-booster", WAYS[number + 4], "lightgbm: Booster")
            model.booster_.save_model(str(folder.file(f"lightgbm/{name}.txt", "lightgbm text", "misc")))

    def catboost() -> None:
        cat = library("catboost")
        model = cat.CatBoostClassifier(iterations=3, verbose=0, allow_writing_files=False).fit(table, target)
        save(folder, model, "catboost/model", "pickle4", f"catboost {cat.__version__}")
        save(folder, model, "catboost/model", "joblib-zlib", f"catboost {cat.__version__}")
        model.save_model(str(folder.file("catboost/model.cbm", "catboost cbm", "misc")))
        model.save_model(str(folder.file("catboost/model.json", "catboost json", "misc")), format="json")

    def statsmodels() -> None:
        api = library("statsmodels.api")
        for label, model in {
            "ols": api.OLS(target, table),
            "glm": api.GLM(target, table),
            "rlm": api.RLM(target * 1.0, table),
        }.items():
            model.fit().save(
                str(folder.file(f"statsmodels/{label}.pickle", f"statsmodels {label}", "pickle"))
            )
        arima = library("statsmodels.tsa.arima.model").ARIMA(rng.rand(50), order=(1, 0, 0)).fit()
        arima.save(str(folder.file("statsmodels/arima.pickle", "statsmodels arima", "pickle")))
        save(folder, api.OLS(target, table).fit(), "statsmodels/ols-joblib", "joblib", "statsmodels ols")

    for one in (xgboost, lightgbm, catboost, statsmodels):
        folder.attempt(one, one.__name__)


def serializers(folder: Folder) -> None:
    """dill, cloudpickle and skops over plain data, and over functions: those are code in a file, for good reasons."""
    numpy = library("numpy")
    data = {"w": numpy.arange(9.0), "names": ["a", "b"], "config": {"lr": 0.1}}

    def rate(step: int) -> float:
        return 0.1 / (1 + step)

    for name in ("dill", "cloudpickle"):

        def one(name: str = name) -> None:
            made = library(name)
            for version in (2, 4, 5):
                folder.file(f"{name}/data-{version}.pkl", f"{name} of data", "pickle").write_bytes(
                    made.dumps(data, protocol=min(version, pickle.HIGHEST_PROTOCOL))
                )
            folder.file(
                f"{name}/function.pkl", f"{name} of a function by value", "pickle", "gray"
            ).write_bytes(made.dumps(rate))

        folder.attempt(one, name)

    def skops() -> None:
        io, linear, table = (
            library("skops.io"),
            library("sklearn.linear_model"),
            numpy.random.RandomState(1).rand(20, 3),
        )
        target = [0, 1] * 10
        pipeline, processing, ensemble = (
            library("sklearn.pipeline"),
            library("sklearn.preprocessing"),
            library("sklearn.ensemble"),
        )
        for label, model in {
            "logistic": linear.LogisticRegression(),
            "forest": ensemble.RandomForestClassifier(3),
            "boosting": ensemble.GradientBoostingClassifier(n_estimators=3),
            "pipeline": pipeline.make_pipeline(processing.StandardScaler(), linear.RidgeClassifier()),
            "ridge": linear.Ridge(),
        }.items():
            io.dump(
                model.fit(table, target),
                str(folder.file(f"skops/{label}.skops", f"skops: {label}", "package")),
            )

    folder.attempt(skops, "skops")


def write(folder: Folder) -> None:
    """Everything."""
    warnings.simplefilter("ignore")
    sys.setrecursionlimit(5000)
    for part in (standard, arrays, estimators, frames, boosting, serializers):
        folder.attempt(lambda part=part: part(folder), part.__name__)


if __name__ == "__main__":
    main(write)
