"""fANOVA importances, by Optuna's evaluator, and partial dependence, by scikit-learn's forest."""

from collections.abc import Sequence

import numpy as np

from analysis.statistics.bootstrap import FloatArray

_TREES = 64
_DEPTH = 64  # Optuna's


def fanova(x: FloatArray, y: FloatArray, choices: Sequence[int], *, seed: int) -> FloatArray:
    """(features,) share of the variance that each feature explains alone.

    Hutter, Hoos and Leyton-Brown (2014), as Optuna computes it: the variance is that over the
    whole space, every feature uniform in [0, 1]. The rest, up to 1, are interactions.

    Args:
        x: (n, features) in [0, 1]; category k of K lies at (k + 1/2)/K.
        y: (n,) targets.
        choices: Number of categories of each feature, 0 for a number.
        seed: Of the forest.
    """
    import optuna  # noqa: PLC0415 -- seconds to import, and few studies need it
    from optuna.distributions import (  # noqa: PLC0415
        BaseDistribution,
        CategoricalDistribution,
        FloatDistribution,
    )

    if np.ptp(y) == 0:
        return np.zeros(x.shape[1])
    names = [str(feature) for feature in range(x.shape[1])]
    distributions: dict[str, BaseDistribution] = {
        name: CategoricalDistribution(range(count)) if count else FloatDistribution(0, 1)
        for name, count in zip(names, choices, strict=True)
    }

    def parameters(row: FloatArray) -> dict[str, float | int]:
        return {
            name: int(value * count) if count else float(value)
            for name, value, count in zip(names, row, choices, strict=True)
        }

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study()
        study.add_trials(
            optuna.trial.create_trial(
                params=parameters(row), distributions=distributions, value=float(value)
            )
            for row, value in zip(x, y, strict=True)
        )
        evaluator = optuna.importance.FanovaImportanceEvaluator(
            n_trees=_TREES, max_depth=_DEPTH, seed=seed
        )
        shares = evaluator.evaluate(study)
    finally:
        optuna.logging.set_verbosity(before)
    return np.array([shares[name] for name in names])


def partial_dependence(
    x: FloatArray, y: FloatArray, feature: int, at: FloatArray, *, seed: int
) -> FloatArray:
    """(trees, points) mean prediction with one feature set to each of some values.

    Friedman (2001): the mean is over the other features as observed.

    Args:
        x: (n, features) observations.
        y: (n,) targets.
        feature: Index of the feature.
        at: (points,) its values.
        seed: Of the forest.
    """
    from sklearn.ensemble import RandomForestRegressor  # noqa: PLC0415 -- as above

    forest = RandomForestRegressor(_TREES, min_samples_leaf=3, random_state=seed).fit(x, y)
    changed = np.repeat(x[None], len(at), axis=0)
    changed[:, :, feature] = at[:, None]
    rows = changed.reshape(-1, x.shape[1]).astype(np.float32)  # the trees' dtype
    return np.stack(
        [tree.predict(rows).reshape(len(at), len(x)).mean(axis=1) for tree in forest.estimators_]
    )
