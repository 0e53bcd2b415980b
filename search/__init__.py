"""The search: Ray and Optuna live here."""
