"""``gmmfast info`` of a model, and ``gmmfast export``."""

import argparse
import json
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from gmmfast.cli import machine
from gmmfast.cli.data import feature_names
from gmmfast.data.paths import require_folder
from gmmfast.estimators.mixture import GaussianMixture, load
from gmmfast.files.archive import put
from gmmfast.files.attributes import DEGREES, NOISE, QUANTILES
from gmmfast.files.exports import EXPORTS
from gmmfast.reporting.outcome import described
from gmmfast.reporting.report import (
    bound_name,
    parameters_as_text,
    significant,
    spread_as_json,
    tails_as_json,
)


def info(arguments: argparse.Namespace) -> None:
    """Print facts about a model, or without one about the machine."""
    if arguments.model is None:
        facts = machine.facts()
        print(json.dumps(facts, indent=2) if arguments.json else _as_lines(facts))
        return
    model = load(arguments.model)
    if arguments.json:
        print(json.dumps(_members(model), indent=2, allow_nan=False))
        return
    names = feature_names(model) or [f"x{j + 1}" for j in range(model.means_.shape[1])]
    parameters = parameters_as_text(described(model, names))
    print(_as_lines(_lines(model)), parameters, sep="\n\n")


def _members(model: GaussianMixture) -> dict[str, Any]:
    """Facts about a model, as plain values."""
    bound, report = float(model.lower_bound_), described(model, feature_names(model))
    return {
        "n_components": len(model.weights_),
        "covariance_type": model.covariance_type,
        **({"n_factors": model.n_factors} if hasattr(model, "loadings_") else {}),
        "n_columns": model.means_.shape[1],
        "columns": feature_names(model) or None,
        "dtype": model.means_.dtype.name,
        "total_weight": model.n_samples_seen_,
        "converged": model.converged_,
        "n_iter": model.n_iter_,
        "stop_reason": model.stop_reason_,
        "log_likelihood_per_row": bound if np.isfinite(bound) else None,
        "outlier_cut": model.log_density_quantile(0.01) if hasattr(model, QUANTILES) else None,
        "degenerate": np.flatnonzero(model.degenerate_).tolist(),
        "missing_values": model.missing_values,
        "trim": model.trim,
        "weights": model.weights_.tolist(),
        "noise_weight": getattr(model, NOISE[0], None),
        "noise_volume": getattr(model, NOISE[1], None),
        **tails_as_json(getattr(model, DEGREES, None)),
        "means": model.means_.tolist(),
        **spread_as_json(report.covariances, report.loadings, report.specific_variances),
    }


def _options(facts: Mapping[str, Any]) -> dict[str, str]:
    """Facts that most models do not have, for a person."""
    lines = {}
    if facts["missing_values"] == "marginalize":
        lines["missing values"] = "rows count with what is known of them"
    if facts["trim"]:
        lines["left out"] = f"{100 * facts['trim']:g} percent of the rows"
    if facts["noise_weight"] is not None:
        lines["noise"] = f"weight {significant(facts['noise_weight'])}"
    return lines


def _lines(model: GaussianMixture) -> dict[str, str]:
    """Facts about a model, for a person."""
    facts = _members(model)
    bound, cut, columns = facts["log_likelihood_per_row"], facts["outlier_cut"], facts["columns"]
    kind = ", t distributions" if "degrees_of_freedom" in facts else ""
    lines = {
        "components": f"{facts['n_components']}{kind}",
        "covariance": facts["covariance_type"],
        **({"factors": str(facts["n_factors"])} if "n_factors" in facts else {}),
        "columns": ", ".join(columns) if columns else f"{facts['n_columns']}, without names",
        "numbers": facts["dtype"],
        "rows of the fit": f"{facts['total_weight']:g}",
        bound_name(model): "unknown" if bound is None else f"{significant(bound)} per row",
        **_options(facts),
        "iterations": str(facts["n_iter"]),
        "stopped": facts["stop_reason"],
        "outliers": "no cut; use --threshold or --relative"
        if cut is None
        else f"1 percent of the rows of the fit have a log density below {significant(cut)}",
    }
    if facts["degenerate"]:
        lines["degenerate"] = ", ".join(map(str, facts["degenerate"]))
    return lines


def _as_lines(facts: dict[str, str]) -> str:
    width = max(map(len, facts))
    return "\n".join(f"{name:<{width}}  {value}" for name, value in facts.items())


def export(arguments: argparse.Namespace) -> None:
    """Write a model for another program."""
    make, suffix = EXPORTS[arguments.to]
    out = arguments.out
    if out is None and arguments.to != "json":
        raise ValueError(f"--to {arguments.to} needs --out, a {suffix} file to write.")
    if out is not None:
        if out.suffix.lower() != suffix:
            raise ValueError(f"{out}: --to {arguments.to} writes {suffix} files. Rename the file.")
        require_folder(out)
    content = make(load(arguments.model))
    if out is None:
        sys.stdout.write(content.decode())
    else:
        put(out, content)
