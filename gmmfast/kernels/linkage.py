"""Ward's tree: mergers of clusters, from single rows to one cluster."""

from __future__ import annotations

import numpy as np

from gmmfast.kernels.compiling import entry_kernel, kernel


@kernel
def merge_cost(
    a,  # in
    b,  # in
    mass,  # in (n,)
    centers,  # in (n, d)
):
    """Increase of the within-cluster sum of squares if two clusters merge (Ward 1963)."""
    total = 0.0
    for j in range(centers.shape[1]):
        difference = centers[a, j] - centers[b, j]
        total += difference * difference
    return total * mass[a] * mass[b] / (mass[a] + mass[b])


@kernel
def nearest_neighbor(
    a,  # in
    preferred,  # in: cluster to prefer in ties; -1 for none
    mass,  # in (n,): zero for clusters merged into others
    centers,  # in (n, d)
):
    """Cluster with the cheapest merger with `a`, and its cost."""
    best, least = -1, np.inf
    if preferred >= 0:
        best, least = preferred, merge_cost(a, preferred, mass, centers)
    for b in range(mass.size):
        if b != a and mass[b] > 0:
            cost = merge_cost(a, b, mass, centers)
            if cost < least:
                best, least = b, cost
    return best, least


@entry_kernel
def ward_tree(
    mass,  # in, out (n,): positive row weights -> weights of clusters
    centers,  # in, out (n, d): rows -> centers of clusters
    chain,  # scratch (n,)
    kept,  # out (n - 1,): of each merger, the cluster that remains,
    gone,  # out (n - 1,): the cluster that it absorbs,
    cost,  # out (n - 1,): and the increase of the within-cluster sum of squares
    length,  # in: of the chain
    merged,  # in: number of mergers so far
    n_steps,  # in: steps of the chain to take, at most
):
    """Merge clusters along nearest-neighbor chains (Murtagh 1983); not in order of cost.

    Returns `length` and `merged` to continue from.
    """
    n = mass.size
    for _ in range(n_steps):
        if merged == n - 1:
            break
        if length == 0:
            chain[0] = 0
            while mass[chain[0]] == 0:
                chain[0] += 1
            length = 1
        a = chain[length - 1]
        before = chain[length - 2] if length > 1 else -1
        b, least = nearest_neighbor(a, before, mass, centers)
        if b != before:
            chain[length] = b
            length += 1
            continue
        length -= 2
        total = mass[a] + mass[b]
        for j in range(centers.shape[1]):
            centers[a, j] += mass[b] / total * (centers[b, j] - centers[a, j])
        mass[a], mass[b] = total, 0.0
        kept[merged], gone[merged], cost[merged] = a, b, least
        merged += 1
    return length, merged


@entry_kernel
def cut_tree(
    n_mergers,  # in: number of the cheapest mergers to carry out
    kept,  # in (n - 1,), by increasing cost
    gone,  # in (n - 1,)
    labels,  # out (n,): of each row, the row that represents its cluster
):
    """Clusters after the cheapest mergers."""
    n = labels.size
    for i in range(n):
        labels[i] = i
    for m in range(n_mergers):
        labels[root(gone[m], labels)] = root(kept[m], labels)
    for i in range(n):
        labels[i] = root(i, labels)


@kernel
def root(
    i,  # in
    parents,  # in, out (n,): paths are halved
):
    """Cluster of row i."""
    while parents[i] != i:
        parents[i] = parents[parents[i]]
        i = parents[i]
    return i
