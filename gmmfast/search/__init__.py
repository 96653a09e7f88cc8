"""A search over K and covariance models: candidates, their starts and their results."""
