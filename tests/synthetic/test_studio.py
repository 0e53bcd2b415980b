import numpy as np
import pytest

from handssl.synthetic.studio import CENTRE_M, Studio, draw_studio, studio_backdrop


@pytest.fixture(scope="module", params=[1, 4, 9])
def studio(request: pytest.FixtureRequest) -> Studio:
    return draw_studio(np.random.default_rng(request.param), request.param, 0.5)


def test_cameras_look_at_the_hands_place_from_about_a_metre(studio: Studio) -> None:
    for camera in studio.cameras:
        np.testing.assert_allclose(camera.rotation @ camera.rotation.T, np.eye(3), atol=1e-12)
        np.testing.assert_allclose(np.linalg.det(camera.rotation), 1)
        pixels, depth = camera.project(CENTRE_M[None])
        np.testing.assert_allclose(pixels[0], camera.centre_px, atol=1e-6)
        assert 0.95 < depth[0] < 1.15


def test_cameras_stand_the_right_way_up(studio: Studio) -> None:
    for camera in studio.cameras:
        below, _ = camera.project(CENTRE_M[None] + [[0, 0.05, 0]])
        assert below[0, 1] > camera.centre_px[1] + 30  # y grows downwards in world and image


def test_cameras_have_names_of_their_own_and_interhands_sizes(studio: Studio) -> None:
    assert len({camera.name for camera in studio.cameras}) == len(studio.cameras)
    sizes = {(camera.width_px, camera.height_px) for camera in studio.cameras}
    assert sizes <= {(334, 512), (512, 334)}


def test_the_backdrop_is_dark_with_bright_lamps_where_they_project(studio: Studio) -> None:
    for camera in studio.cameras:
        backdrop = studio_backdrop(studio, camera)
        assert backdrop.shape == (camera.height_px, camera.width_px, 3)
        assert np.median(backdrop) < 0.06
        pixels, depth = camera.project(studio.lamps_m)
        column, row = np.round(pixels).astype(int).T
        shown = (depth > 0) & (column >= 0) & (column < camera.width_px)
        shown &= (row >= 0) & (row < camera.height_px)
        assert shown.sum() >= 5
        assert backdrop[row[shown], column[shown]].min() > 0.2


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_as_many_cameras_are_grey_as_asked(share: float) -> None:
    studio = draw_studio(np.random.default_rng(0), 6, share)
    assert np.mean([camera.is_grey for camera in studio.cameras]) == share
    assert {camera.name[:2] for camera in studio.cameras} == {"41" if share else "40"}
