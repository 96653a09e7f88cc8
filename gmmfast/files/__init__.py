"""A mixture in other forms: model files, checkpoints, scikit-learn."""
