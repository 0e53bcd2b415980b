"""What a line of the figure of few labels looks like says what it stands for."""

from analysis.figures.canvas import INK
from analysis.figures.lowshot import low_shot_drawings
from analysis.lowshot import low_shot
from tests.analysis.conftest import Make


def test_a_colour_a_pretraining_black_for_random_weights_dashes_where_frozen(
    make_study: Make,
) -> None:
    study = make_study()
    for mode, objective in (
        ("supervised", "supervised"), ("frozen", "random"), ("frozen", "contrastive"),
        ("unfrozen", "contrastive"), ("frozen", "equivariant"), ("unfrozen", "equivariant"),
    ):  # fmt: skip
        for fraction in (0.1, 1.0):
            part = {"fit": "FH", "evaluate": "FH", "mode": mode, "label_fraction": fraction}
            config = {"encoder": {"name": "resnet10t"}, "transfer": part}
            study.add("T", objective, config=config)
    (drawing,) = low_shot_drawings(low_shot([study.read()]))
    lines = {
        str(line.get_label()): (line.get_color(), line.get_linestyle())
        for line in drawing.figure.axes[0].get_lines()
        if not str(line.get_label()).startswith("_")
    }
    assert lines["Supervised"] == (INK, "-")
    assert lines["Random initialisation (frozen)"] == (INK, "--")
    colours = set()
    for name in ("Contrastive", "Equivariant contrastive"):
        frozen, unfrozen = (lines[f"{name} ({mode})"] for mode in ("frozen", "unfrozen"))
        assert frozen[0] == unfrozen[0]
        assert (frozen[1], unfrozen[1]) == ("--", "-")
        colours.add(frozen[0])
    assert len(colours | {INK}) == 3
