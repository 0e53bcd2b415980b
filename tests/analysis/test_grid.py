import pytest

from analysis.efficiency import efficiencies
from analysis.grid import arrange, config_section
from analysis.notation import PAPER_ROWS
from analysis.reading import read_studies, read_study
from analysis.tables.compositions import run_caption
from tests.analysis.conftest import Make, StudyMaker, planted_median


def test_a_cell_is_the_mean_over_its_seeds(make_study: Make) -> None:
    study = make_study()
    for repeat, median in enumerate((10.0, 12.0, 14.0)):
        study.add("T+S", repeat=repeat, median=median)
    grid = study.grid()
    best = grid.cell(grid.columns[0], "T+S").best
    assert best is not None
    summary = best.summary("median_pje_cm")
    assert summary is not None
    assert (summary.mean, summary.sd, summary.n) == (12.0, 2.0, 3)


def test_states_without_a_number_are_told_apart(make_study: Make) -> None:
    study = make_study()
    study.add("T")
    study.add("S", status="failed")
    study.add("CJ", status="pruned")
    grid = study.grid()
    states = [grid.cell(grid.columns[0], label).state for label in ("T", "S", "CJ", "Ro")]
    assert states == ["finished", "failed", "pruned", "not run"]


def test_a_planned_objective_has_its_column_before_it_has_run(make_study: Make) -> None:
    study = make_study()
    study.add("T")
    study.plan.append({"trial": "x", "objective": "rel", "composition": "T"})
    study.plan.append({"trial": "y", "objective": "relative", "composition": "T"})
    overrides = {
        "rel": {"name": "relative", "targets": "released"},
        "relative": {"name": "relative"},
    }
    study.write_study(config={"search": {"objectives": overrides}})
    columns = arrange(read_studies([str(study.folder)])).columns
    assert [column.variant for column in columns] == [
        "relative:released:rel",
        "relative:standardised",
        "contrastive",
    ]


@pytest.mark.parametrize("renamed", [{"include": [], "single_augmentations": ["cutout"]},
                                     {"only": [], "singles": ["cutout"]}])  # fmt: skip
def test_the_configuration_is_read_alike_before_and_after_the_keys_were_renamed(
    make_study: Make, renamed: dict[str, object]
) -> None:
    study = make_study()
    study.plan.append({"trial": "x", "objective": "rel", "composition": "T"})
    search = {"kind": "tpe", "objectives": {"rel": {"targets": "released"}}, **renamed}
    trial = {"pretrain": {"objective": {"name": "relative", "targets": "standardised"}}}
    study.write_study(config={"search": search, "trial": trial})
    read = read_study(str(study.folder))
    assert [column.variant for column in arrange([read]).columns] == ["relative:released:rel"]
    assert [item.sampler for item in efficiencies([read])] == ["tpe"]
    assert config_section(read, "search", "objectives", "rel") == {"targets": "released"}
    assert config_section(read, "search", "kind") == config_section(read, "absent", "too") == {}


def test_a_single_augmentation_of_no_composition_is_no_row_of_table_5(make_study: Make) -> None:
    study = make_study()
    for label in ("T", "cutout", "sobel", "T+sobel"):
        study.add(label, median=9.0)
    grid = study.grid()
    assert grid.compositions == (*PAPER_ROWS, "So", "T+So")
    assert grid.cell(grid.columns[0], "CO").best is not None


def test_the_best_setting_of_a_sampled_cell_speaks_for_it(make_study: Make) -> None:
    study = make_study()
    for median, temperature in ((11.0, 0.1), (9.0, 0.5), (13.0, 1.0)):
        options = {"objective": {"name": "contrastive", "temperature": temperature}}
        study.add("T", median=median, config=options)
    grid = study.grid()
    cell = grid.cell(grid.columns[0], "T")
    assert cell.settings == 3
    assert cell.best is not None
    assert cell.best.first.config["objective"]["temperature"] == 0.5


def test_where_some_were_repeated_a_single_lucky_run_is_not_the_best(make_study: Make) -> None:
    study = make_study()
    study.add("S", median=8.0)
    study.add("T", median=9.0)
    study.add("T", repeat=1, median=9.4)
    grid = study.grid()
    best = grid.best(grid.columns[0])
    assert best is not None
    assert best[0] == "T"


def test_the_planted_best_is_found(make_study: Make) -> None:
    study = make_study()
    study.add_grid()
    grid = study.grid()
    for column in grid.columns:
        best = grid.best(column)
        assert best is not None
        objective = column.variant.split(":")[0]
        assert best[0] == "T+CJ+S"
        assert best[1].score == pytest.approx(planted_median("T+CJ+S", objective))


def test_a_cell_that_was_run_again_speaks_from_the_second_stage_alone(make_study: Make) -> None:
    study = make_study()
    study.add("T+S", median=8.0)  # the luckiest of the search
    study.add("T", median=9.0)
    for repeat, median in ((1, 10.0), (2, 11.0)):
        study.add("T+S", median=median, repeat=repeat, changes={"stage": 2})
    grid = study.grid()
    (column,) = grid.columns
    again = grid.cell(column, "T+S")
    assert again.best is not None
    assert again.best.score == 10.5
    assert again.settings == 1
    best = grid.best(column)
    assert best is not None
    assert best[0] == "T+S", "a single run does not compete with confirmed ones"
    assert "1 cell from the second stage only" in run_caption(grid, grid.columns)


def test_a_heading_names_its_study_only_where_the_variant_would_not_tell(make_study: Make) -> None:
    def titles(*studies: StudyMaker) -> list[str]:
        for study in studies:
            study.write_study()
        grid = arrange(read_studies([str(study.folder) for study in studies]))
        return [column.title for column in grid.columns]

    first, second, larger = make_study("first"), make_study("second"), make_study("larger")
    first.add("T", "contrastive")
    second.add("T", "relative")
    assert titles(first, second) == ["Contrastive", "Relative (standardised targets)"]
    larger.add("T", "relative")
    assert [title.split(" · ")[-1] for title in titles(first, second, larger)] == [
        "first",
        "second",
        "larger",
    ]
