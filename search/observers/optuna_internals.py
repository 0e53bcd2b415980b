"""What Optuna's public interface lacks, behind one function each with the reason for it.

`tests/test_private_interfaces.py` checks that no other module uses private names of Optuna, and
`tests/search/observers/test_optuna_internals.py` that the installed Optuna has them.
"""

from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial


def reopen(study: optuna.Study, frozen: FrozenTrial) -> Trial:
    """A stored trial that is still running, as one that can report and be told.

    `Study.tell` accepts the number of a trial, but only a `Trial` can `report`, and Optuna makes
    one in `Study.ask` only. Its constructor takes the storage's id, which `FrozenTrial` keeps
    private.
    """
    return Trial(study, frozen._trial_id)


def start_trial(
    study: optuna.Study, *, params: dict[str, Any], distributions: Any, user_attrs: dict[str, Any]
) -> Trial:
    """Store a new running trial with all its fields in one transaction.

    `Study.ask` would store the trial first and its parameters and attributes later, so a driver
    that is killed in between leaves a trial without them. `Study.add_trial` is one transaction,
    but does not return the trial; it is found by its attribute "hash".
    """
    study.add_trial(
        create_trial(
            state=TrialState.RUNNING,
            params=params,
            distributions=distributions,
            user_attrs=user_attrs,
        )
    )
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    same = [frozen for frozen in running if frozen.user_attrs.get("hash") == user_attrs["hash"]]
    return reopen(study, same[-1])
