from dataclasses import replace

import numpy as np

from handssl.synthetic.rig import Rig
from handssl.synthetic.skin import albedo, draw_skin, dressed_surface


def test_skins_run_from_fair_to_dark() -> None:
    tones = np.array(
        [draw_skin(np.random.default_rng(n), sleeve_share=0.4).tone.mean() for n in range(200)]
    )
    assert tones.min() < 0.1
    assert tones.max() > 0.55


def test_sleeves_are_as_frequent_as_asked() -> None:
    sleeves = [
        draw_skin(np.random.default_rng(n), sleeve_share=0.4).sleeve_m is not None
        for n in range(300)
    ]
    assert 0.3 < np.mean(sleeves) < 0.5


def test_a_sleeve_changes_the_arm_behind_it_and_nothing_else(rig: Rig) -> None:
    bare = replace(draw_skin(np.random.default_rng(0), sleeve_share=1.0), sleeve_m=None)
    dressed = replace(bare, sleeve_m=0.08)
    moved = np.linalg.norm(dressed_surface(rig, dressed) - rig.vertices, axis=1)
    behind = rig.vertices[:, 2] > 0.085
    before = rig.vertices[:, 2] < 0.079
    assert moved[before].max() == 0
    assert moved[behind].min() > 0.002
    first, second = albedo(bare)[0], albedo(dressed)[0]
    np.testing.assert_array_equal(first[before], second[before])
    assert (first[behind] != second[behind]).any(1).all()


def test_albedo_is_a_reflectance_and_nails_are_glossy(rig: Rig) -> None:
    colour, gloss = albedo(draw_skin(np.random.default_rng(3), sleeve_share=0.0))
    assert colour.shape == (rig.counts[-1], 3)
    assert colour.min() > 0
    assert colour.max() <= 1
    assert 0.001 < (gloss > 0.5).mean() < 0.05
