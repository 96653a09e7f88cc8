"""Spark MLlib's Gaussian mixture on two local cores, from its own start."""

import importlib.util
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

MEMORY = "10g"  # of the Java process


@dataclass(frozen=True)
class SparkFit:
    """A mixture after some iterations."""

    weights: Array  # (K,)
    means: Array  # (K, d)
    covariances: Array  # (K, d, d)
    log_likelihood: float  # sum over the rows, at the last E step
    seconds: float


def is_there() -> bool:
    """Whether pyspark and Java are installed; says on stderr what is missing."""
    missing = [
        name
        for name, found in (
            ("pyspark", importlib.util.find_spec("pyspark")),
            ("Java", shutil.which("java")),
        )
        if not found
    ]
    if missing:
        print(f"Spark is left out: missing {' and '.join(missing)}", file=sys.stderr)
    return not missing


@contextmanager
def session() -> Iterator[Any]:
    """Spark with two threads, silent on stdout."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").config("spark.driver.memory", MEMORY)
    spark = builder.config("spark.ui.enabled", "false").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    try:
        yield spark
    finally:
        spark.stop()


def load(spark: Any, path: str) -> Any:
    """Rows of a Parquet file as vectors, kept in memory."""
    from pyspark.ml.feature import VectorAssembler

    frame = spark.read.parquet(path)
    vectors = VectorAssembler(inputCols=frame.columns, outputCol="features").transform(frame)
    vectors = vectors.select("features").cache()
    vectors.count()
    return vectors


def fit(vectors: Any, n_components: int, iterations: int) -> SparkFit:
    """Do some iterations; 0 gives the start, the same each time."""
    from pyspark.ml.clustering import GaussianMixture

    estimator = GaussianMixture(k=n_components, maxIter=iterations, tol=0.0, seed=1)
    begin = time.perf_counter()
    model = estimator.fit(vectors)
    seconds = time.perf_counter() - begin
    rows = model.gaussiansDF.collect()
    return SparkFit(
        np.array(model.weights),
        np.array([row["mean"].toArray() for row in rows]),
        np.array([row["cov"].toArray() for row in rows]),
        float(model.summary.logLikelihood),
        seconds,
    )
