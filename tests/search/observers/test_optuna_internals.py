from pathlib import Path

import optuna
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

from search.observers.optuna_internals import reopen, start_trial

VERSION = f"Optuna {optuna.__version__}"


def test_a_started_trial_is_stored_whole_and_can_be_reopened(tmp_path: Path) -> None:
    study = optuna.create_study(storage=f"sqlite:///{tmp_path}/optuna.db")
    study.ask()  # another running trial
    range_ = FloatDistribution(0.0, 1.0)
    trial = start_trial(
        study, params={"x": 0.5}, distributions={"x": range_}, user_attrs={"hash": "h"}
    )
    trial.report(3.0, 1)
    frozen = study.trials[1]
    assert frozen.state is TrialState.RUNNING, f"{VERSION}: add_trial no longer stores it running"
    assert (frozen.params, frozen.distributions) == ({"x": 0.5}, {"x": range_})
    assert frozen.user_attrs == {"hash": "h"}
    reopen(study, frozen).report(2.0, 2)
    values = study.trials[1].intermediate_values
    assert values == {1: 3.0, 2: 2.0}, f"{VERSION}: Trial(study, frozen._trial_id) is another"
    study.tell(frozen.number, 1.0)
    assert study.best_trial.number == frozen.number
