"""What users construct: mixtures and searches, with scikit-learn's conventions."""
