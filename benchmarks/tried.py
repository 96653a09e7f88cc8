"""What was tried and did not help: for the report, so that nobody tries it again unknowingly."""

TRIED = """\
Milliseconds an iteration on two cores with 512-bit vectors, unless it says otherwise; medians vary by
some ten per cent from run to run.

| what | before | after | why, as far as it is known |
| --- | ---: | ---: | --- |
| tiles of 128 and 256 rows; full, 300k x 10, K=10 | 7.1 | 10.4, 9.1 | fewer sums across lanes, but \
a component is given up for more rows at once, or not at all |
| the same; full, 100k x 16, K=100 | 13.2 | 28.7, 24.2 | likewise |
| polynomials of `exp` and `log` by Estrin's scheme instead of Horner's; full, 1M x 2, K=5 | 10.3 | \
10.3 | not bound by latency; the error of `exp` grows from 3.4e-16 to 5.3e-16 |
| rows sorted by component and, within it, by the second responsibility; full, 300k x 10, K=10 | 9.7 | \
8.6 | a fifth fewer active components a tile, but the sort and the labels cost two iterations more |
| the same; diagonal, 100k x 16, K=100 | 9.0 | 8.7 | |
| the bound along one direction also for diagonals; 50k x 64, K=64 | 4.1 | 6.5 | it takes all features, \
where distances feature by feature end after eight |
| the same; 50k x 128, K=16 | 2.7 | 6.2 | |
| SQUAREM (Varadhan & Roland 2008) with the safeguards of `acceleration="auto"`: iterations, \
plain / accelerated, median of 12 cases | 2.0 (Anderson) | 1.0 | two steps in three are plain, and more \
leaps are taken back |
| to begin with extrapolation earlier or later (rates within 0.03, 0.3, 1.0 of each other), 5 or 20 \
steps instead of 10: iterations, plain / accelerated, median | 1.5 | 1.5 | what is left is spent before \
EM has settled |
"""
