"""Shapley values of the augmentations, ours beside the published."""

from analysis.contribution import Contribution
from analysis.figures.canvas import INK, SERIES, Drawing, new_figure, slug
from analysis.figures.rows import ROW_IN, Row, draw_rows


def contribution_drawing(contribution: Contribution, position: int) -> Drawing:
    """Shapley values and interactions of one objective."""
    column = contribution.column
    pairs = contribution.pairs
    effects = [*contribution.shapley, *pairs]
    published = all(effect.published_cm is not None for effect in effects)
    height = 1.0 + ROW_IN * len(effects)
    figure, panels = new_figure(6.4, height, 2 if published else 1, sharey=True)
    lowest = min(contribution.shapley, key=lambda effect: effect.value_cm)
    drawing = Drawing(
        key=f"shapley_{slug(column.study.name, column.variant)}",
        title=f"{column.title}: contribution of each augmentation",
        alt=(
            f"Dot plot of the Shapley values of {len(contribution.players)} augmentations and "
            f"their {len(pairs)} interactions. Lowest: {lowest.name}, "
            f"{lowest.value_cm:+.2f} cm from the mean."
        ),
        caption=(
            "Shapley value of each augmentation, centred"
            + (
                "; A × B: interaction of a pair, beyond the sum of its single effects"
                if pairs
                else ""
            )
            + ". Left of zero: lower median error. Lines: 95% intervals."
            + (
                " Right: the same from the paper's table 5, on a separate axis."
                if published
                else ""
            )
        ),
        figure=figure,
    )
    ours = [Row(label=s.name, value=s.value_cm, interval=s.interval) for s in effects]
    draw_rows(
        drawing, panels[0], ours, colour=SERIES[position % len(SERIES)], unit="cm", zero=True
    )
    panels[0].set_xlabel("cm of median PJE")
    panels[0].set_title("Ours")
    if published:
        theirs = [Row(label=s.name, value=s.published_cm) for s in effects]
        draw_rows(drawing, panels[1], theirs, colour=INK, unit="cm (published)", zero=True)
        panels[1].set_xlabel("cm of median PJE")
        panels[1].set_title("Published (table 5)")
    return drawing
