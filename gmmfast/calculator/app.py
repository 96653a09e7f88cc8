"""The server: routes, their input, and their answers in JSON."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from gmmfast.calculator import pictures
from gmmfast.calculator.data import MEGABYTE, Loaded, example, read_upload, suffix_of
from gmmfast.calculator.downloads import DOWNLOADS, EXCEL_ROWS, write_download
from gmmfast.calculator.guard import Guard, failure
from gmmfast.calculator.new_rows import read_new_rows
from gmmfast.calculator.sessions import BusyError, Job, QueueFullError, Session, Sessions
from gmmfast.calculator.settings import CHOICE, DEFAULTS, OUTLIER_RATE, read_settings, shown
from gmmfast.calculator.sureness import sureness_of
from gmmfast.data.constraints import ONE_COLUMN, TYPES_WITHOUT_FACTORS
from gmmfast.datasets import EXAMPLES
from gmmfast.errors import MissingValuesError
from gmmfast.estimators.mixture import load
from gmmfast.marginals import Mixture
from gmmfast.rows.evaluation import are_outliers

STATIC = {  # the files of the page, which may be in a zip file
    file.name: file.read_bytes()
    for file in resources.files("gmmfast.calculator").joinpath("static").iterdir()
}
TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
LARGEST_FILE = 512 * MEGABYTE
LARGEST_JSON = MEGABYTE
LARGEST_ROWS = 16 * MEGABYTE
MOST_NEW_ROWS = 2000  # to show on the page after a model is applied


def make_app(token: str, port: int, any_address: bool = False) -> Starlette:
    """Return the application.

    Parameters
    ----------
    token : str
        Secret that grants access.
    port : int
        Port of the server.
    any_address : bool
        Whether other addresses than this machine's own are served.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.sessions = Sessions()
        app.state.sessions.start()
        yield
        await app.state.sessions.close()

    routes = [
        Route("/", lambda request: static_file("index.html")),
        Route("/plotly.js", lambda request: FileResponse(plotly_file())),
        Route("/api/options", options),
        Route("/api/session", new_session, methods=["POST"]),
        Route("/api/data", send_data, methods=["POST"]),
        Route("/api/example", use_example, methods=["POST"]),
        Route("/api/fit", start_fit, methods=["POST"]),
        Route("/api/fit", cancel_fit, methods=["DELETE"]),
        Route("/api/fit", fit_status),
        Route("/api/picture", draw, methods=["POST"]),
        Route("/api/rows", use_model, methods=["POST"]),
        Route("/api/sureness", how_sure, methods=["POST"]),
        Route("/api/download/{name}", download),
        Route("/static/{name}", lambda request: static_file(request.path_params["name"])),
    ]
    return Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(Guard, token=token, port=port, any_address=any_address)],
        exception_handlers={
            HTTPException: _as_json,
            MissingValuesError: lambda request, error: JSONResponse(
                {"error": str(error), "n_missing": error.n_rows}, 400
            ),
            ValueError: lambda request, error: failure(400, str(error)),
            MemoryError: lambda request, error: failure(
                413, "There is not enough memory for this table. Send fewer rows or columns."
            ),
            Exception: lambda request, error: failure(500, "The calculator failed. Try again."),
            BusyError: lambda request, error: failure(
                409, "A fit is under way. Wait, or cancel it."
            ),
            QueueFullError: lambda request, error: failure(
                503, "Too many fits are waiting. Try later."
            ),
        },
    )


def static_file(name: str) -> Response:
    """Return a file of the page."""
    if name not in STATIC:
        raise HTTPException(404)
    return Response(STATIC[name], media_type=TYPES[Path(name).suffix])


def plotly_file() -> Path:
    """Return plotly's JavaScript, of the installed Python package."""
    spec = importlib.util.find_spec("plotly")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "package_data" / "plotly.min.js"


def _as_json(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return failure(error.status_code, str(error.detail))


# ------------------------------------------------------------------------------- request bodies


async def _pieces(request: Request, limit: int) -> AsyncIterator[bytes]:
    """Return the body, piece by piece; 413 as soon as it is too large."""
    total = 0
    async for piece in request.stream():
        total += len(piece)
        if total > limit:
            raise HTTPException(413, f"That is more than {limit // MEGABYTE} MB. Send less.")
        yield piece


async def _file(request: Request, limit: int, session: Session, suffix: str) -> Path:
    """Write the body to a new file, which belongs to the caller."""
    handle, name = tempfile.mkstemp(dir=session.folder, suffix=suffix)
    path = Path(name)
    try:
        with open(handle, "wb") as file:
            async for piece in _pieces(request, limit):
                file.write(piece)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


async def _json(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise HTTPException(415, "The body must be JSON, with Content-Type application/json.")
    try:
        pieces = [piece async for piece in _pieces(request, LARGEST_JSON)]
        body = json.loads(b"".join(pieces))
    except (ValueError, RecursionError):
        raise HTTPException(400, "The body is not JSON.") from None
    if not isinstance(body, dict):
        raise HTTPException(400, "The body must be a JSON object.")
    return body


def _session(request: Request) -> Session:
    session: Session | None = request.app.state.sessions.get(
        request.query_params.get("session", "")
    )
    if session is None:
        raise HTTPException(404, "This session has ended. Reload the page.")
    return session


def _loaded(session: Session) -> Loaded:
    if session.loaded is None:
        raise HTTPException(409, "There are no data yet. Type, paste or load some.")
    return session.loaded


def _done(session: Session) -> Job:
    if session.job is None or session.job.result is None:
        raise HTTPException(409, "There is no result yet. Calculate one.")
    return session.job


# ------------------------------------------------------------------------------------- routes


async def options(request: Request) -> Response:
    """Return the choices for the settings."""
    return JSONResponse(
        {
            "defaults": DEFAULTS,
            "choice": CHOICE,
            "outlier_rate": OUTLIER_RATE,
            "excel_rows": EXCEL_ROWS,
            "covariance_types": [*TYPES_WITHOUT_FACTORS],
            "one_column": ONE_COLUMN,
            "examples": {name: make().description for name, make in EXAMPLES.items()},
        }
    )


async def new_session(request: Request) -> Response:
    """Start a session."""
    return JSONResponse({"session": request.app.state.sessions.new().id}, 201)


async def send_data(request: Request) -> Response:
    """Take a file: its bytes are the body, its name is in the query."""
    session = _session(request)
    query = request.query_params
    name = Path(query.get("name", "typed.csv")).name
    how: dict[str, Any] = {
        "typed": query.get("typed") == "yes",
        "pasted": query.get("pasted") == "yes",
        "aside": query.getlist("aside"),
        "drop_missing": query.get("drop_missing") == "yes",
        "keep_missing": query.get("keep_missing") == "yes",
    }
    path = await _file(request, LARGEST_FILE, session, suffix_of(name))
    try:
        loaded = await asyncio.to_thread(read_upload, path, name, **how)
        await asyncio.to_thread(session.take, loaded)
    finally:
        if session.loaded is None or session.loaded.file != path:
            path.unlink(missing_ok=True)
    return JSONResponse(loaded.summary())


async def use_example(request: Request) -> Response:
    """Take one of the bundled data sets."""
    session = _session(request)
    loaded = example(str((await _json(request)).get("name")))
    await asyncio.to_thread(session.take, loaded)
    return JSONResponse(loaded.summary())


async def start_fit(request: Request) -> Response:
    """Put a fit into the queue."""
    session = _session(request)
    loaded = _loaded(session)
    settings = read_settings(await _json(request), loaded.table.names)
    request.app.state.sessions.submit(session, loaded, settings)
    return JSONResponse(session.status(), 202)


async def fit_status(request: Request) -> Response:
    """Return the progress of the fit, with the result once there is one."""
    return JSONResponse(_session(request).status())


async def cancel_fit(request: Request) -> Response:
    """End the fit."""
    session = _session(request)
    await request.app.state.sessions.cancel(session)
    return JSONResponse(session.status())


async def draw(request: Request) -> Response:
    """Return the numbers for a chart of some columns."""
    session = _session(request)
    job, body = _done(session), await _json(request)
    columns, asked = job.settings.columns, body.get("columns")
    if not (isinstance(asked, list) and all(isinstance(name, str) for name in asked)):
        asked = []
    kind = body.get("kind", "components")
    if kind not in ("components", "pairs", "uncertainty"):
        raise ValueError(f"kind must be components, pairs or uncertainty; got {shown(kind)}.")
    fewest, most = (2, pictures.MOST_PAIRED) if kind == "pairs" else (1, 2)
    if not fewest <= len(asked) <= most or not set(asked) <= set(columns):
        raise ValueError(f"columns must be {fewest} to {most} of {', '.join(columns)}.")
    with_density = body.get("density") is True
    return JSONResponse(await asyncio.to_thread(_picture_of, job, kind, asked, with_density))


def _picture_of(job: Job, kind: str, asked: list[str], with_density: bool) -> dict[str, Any]:
    """Return the numbers of a chart."""
    result, table = job.result, job.loaded.table
    assert result is not None
    report, degrees = result["report"], result["report"].get("degrees_of_freedom")
    mixture = Mixture(
        np.array(report["weights"]),
        np.array(report["means"]),
        np.array(result["matrices"]),
        None if degrees is None else np.array(degrees),
    ).along([job.settings.columns.index(name) for name in asked])
    values = np.asarray(table.values[:, [table.names.index(name) for name in asked]])
    labels = np.load(job.session.folder / "labels.npy")
    if kind == "pairs":
        return pictures.pairs(values, labels, mixture)
    if kind == "uncertainty":
        probabilities = np.load(job.session.folder / "probabilities.npy")
        return pictures.uncertainty(values, labels, probabilities, len(mixture.weights))
    if len(asked) == 1:
        return pictures.line(values[:, 0], mixture)
    return pictures.plane(values, labels, mixture, with_density)


async def use_model(request: Request) -> Response:
    """Return components, probabilities and log densities of new rows, and mark outliers."""
    session = _session(request)
    job, rate = _done(session), _rate(request.query_params.get("rate", str(OUTLIER_RATE)))
    path = await _file(request, LARGEST_ROWS, session, ".csv")
    try:
        found = await asyncio.to_thread(_apply, job, path, rate)
    finally:
        path.unlink(missing_ok=True)
    return JSONResponse(found)


def _rate(text: str) -> float:
    with contextlib.suppress(ValueError):
        rate = float(text)
        if 0 < rate < 1:
            return rate
    raise ValueError(f"The rate of outliers must lie between 0 and 1; got {text!r}.")


def _apply(job: Job, path: Path, rate: float) -> dict[str, Any]:
    values, notes = read_new_rows(path, job.loaded, job.settings.columns)
    model = load(job.session.folder / "model.npz")
    if hasattr(model, "feature_names_in_"):
        del model.feature_names_in_  # the columns are in order: an array needs no names
    cut = model.log_density_quantile(rate)
    log_density, labels = model.score_samples(values), model.predict(values)
    outlier, shown = are_outliers(log_density, labels, cut), slice(MOST_NEW_ROWS)
    return {
        "n_rows": len(values),
        "notes": notes,
        "cut": cut,
        "label": labels[shown].tolist(),
        "probabilities": model.predict_proba(values[shown]).tolist(),
        "log_density": log_density[shown].tolist(),
        "outlier": outlier[shown].tolist(),
        "n_outliers": int(np.count_nonzero(outlier)),
    }


async def how_sure(request: Request) -> Response:
    """Return standard errors and intervals of the parameters."""
    job = _done(_session(request))
    return JSONResponse(await asyncio.to_thread(sureness_of, job))


async def download(request: Request) -> Response:
    """Return a file of the result, or of the data."""
    session, name = _session(request), request.path_params["name"]
    job = _done(session)
    if name not in DOWNLOADS:
        raise HTTPException(404, f"There is no {name}.")
    path: Path | None = None
    try:
        path = await asyncio.to_thread(write_download, job, name)
    except FileNotFoundError:
        pass
    if path is None or session.job is not job:  # other data or a new fit have replaced the files
        if path is not None:
            shutil.rmtree(path.parent, ignore_errors=True)
        raise HTTPException(409, "Other data or a new fit have replaced this result. Try again.")
    source = job.loaded.source
    return FileResponse(
        path,
        media_type=DOWNLOADS[name][0],
        filename=source if name == "data.csv" and source.endswith(".csv") else name,
        background=BackgroundTask(shutil.rmtree, path.parent, ignore_errors=True),
    )
