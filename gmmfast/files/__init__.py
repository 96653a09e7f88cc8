"""A mixture in another form: model files, checkpoints, scikit-learn."""
