"""What was tried and did not help: for the report, to avoid repeated trials."""

from benchmarks.tables import table

INTRODUCTION = """\
Milliseconds per iteration on two cores with 512-bit vectors, or numbers of iterations, at the time
of the trial. They vary by some ten percent from run to run."""

TRIED = (
    ("tiles of 128 rows", "full, 300k x 10, K=10", "7.1", "10.4"),
    ("tiles of 256 rows", "the same", "7.1", "9.1"),
    ("tiles of 128 rows", "full, 100k x 16, K=100", "13.2", "28.7"),
    ("tiles of 256 rows", "the same", "13.2", "24.2"),
    (
        "`exp` and `log` by Estrin's scheme, not Horner's (error of `exp` 5.3e-16, not 3.4e-16)",
        "full, 1M x 2, K=5, one core",
        "10.3",
        "10.3",
    ),
    (
        "rows sorted by component and second responsibility; the sort is not counted",
        "full, 300k x 10, K=10",
        "9.7",
        "8.6",
    ),
    ("the same", "full, 100k x 16, K=100", "13.5", "12.7"),
    ("the same", "diagonal, 100k x 16, K=100", "9.0", "8.7"),
    ("lane sums of two accumulators taken together", "full, 300k x 10, K=10", "6.5", "6.7"),
    ("the same", "diagonal, 100k x 16, K=100, one core", "12.1", "12.3"),
    ("the bound along one direction for diagonals too", "50k x 64, K=64", "4.1", "6.5"),
    ("the same", "50k x 128, K=16", "2.7", "6.2"),
    (
        "tables of bounds made by each shard also where one table of all pairs fits",
        "20k x 64, K=16, one core; times the speed of a table without the bound for a tile",
        "1.19",
        "0.80",
    ),
    (
        "vectors of rows pruned one by one within a tile, in the E step and in the moments, from "
        "K=64 on",
        "full, 100k x 16, K=100; full, 100k x 32, K=32; diagonal, 100k x 16, K=100, one core",
        "86; 42; 39",
        "77; 49; 50",
    ),
    (
        "rows of one component sorted by halving along their longest axes, not along one axis "
        "(unsorted: 87 components)",
        "components that a tile needs, 200k x 16, K=1024",
        "70",
        "70",
    ),
    ("the same, by second and third likeliest component", "the same", "70", "80"),
    (
        "SQUAREM (Varadhan & Roland 2008) in place of Anderson's method, the same safeguards",
        "times fewer iterations than EM, median of 15 cases x 3 starts",
        "2.2",
        "1.0",
    ),
    (
        "extrapolation where two rates differ by up to 0.1, from 10 changes, in place of three, 3",
        "times fewer iterations than EM, median; most iterations, accelerated / plain; "
        "fits that end as high: of the cases above x 20 starts",
        "1.57; 1.07; 98.6 %",
        "1.54; 1.57; 97.1 %",
    ),
    ("where three rates differ by up to 0.3", "the same", "the same", "1.57; 1.14; 98.2 %"),
    (
        "where the steps' linear map contracts, and two rates differ by up to 0.06",
        "the same",
        "the same",
        "1.57; 1.14; 98.9 %",
    ),
    (
        "after a step that was taken back, as many EM steps as steps in a row were, doubled",
        "the same",
        "the same",
        "1.50; 1.06; 99.3 %",
    ),
    (
        "steps made longer, up to 2.5 times, from the second EM step on, until EM has settled",
        "the same, x 5 starts",
        "1.48; 1.07; 100 %",
        "1.96; 1.22; 95.7 %",
    ),
    (
        "leaps from the first EM step on, as far as the curvature in the span of the last two "
        "changes says, in coordinates in which EM's Jacobian is symmetric, and no further than "
        "promises 5e-4 nats per row",
        "the same, x 10 starts",
        "1.62; 1.07; 99.3 %",
        "2.06; 1.28; 97.1 %",
    ),
    (
        "starts tried for 4, 5 or 6 EM passes in place of up to 10",
        "at least as likely as scikit-learn's, of 48 sets, models and kinds of start",
        "48",
        "44, 43, 43",
    ),
    (
        "of a search, one candidate a task of the thread pool, in place of seven",
        "iris, all models, 2 threads",
        "44 ms",
        "50 ms",
    ),
    (
        "of a search, the five best fitted again from all other models, in place of the three best "
        "from three",
        "diabetes, all models; BIC of 12 sets",
        "31 ms",
        "36 ms; the same BICs",
    ),
    (
        "of a search, 4 models x K = 1 to 20 to `tol` 1e-3 in place of 1e-5",
        "100k x 8: time; BIC",
        "4.1 s; 2657627.4",
        "3.0 s; 2657637.0 (scikit-learn 2657628.2)",
    ),
)


def section() -> str:
    return f"{INTRODUCTION}\n\n{table(['what', 'case', 'before', 'after'], TRIED)}"
