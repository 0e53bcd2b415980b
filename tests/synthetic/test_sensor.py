import numpy as np

from handssl.synthetic.sensor import add_noise, blur, encode_jpeg, tone_curve
from tests.synthetic.conftest import decode


def test_the_tone_curve_rises_from_black_to_white() -> None:
    curve = tone_curve(np.linspace(0, 3, 50, dtype=np.float32), 1.0)
    assert curve[0] == 0
    assert curve[-1] == 1
    assert (np.diff(curve) >= 0).all()
    assert curve.dtype == np.float32


def test_noise_has_the_strength_asked_for_and_no_bias() -> None:
    grey = np.full((100, 100, 3), 0.5, np.float32)
    noisy = add_noise(grey, np.random.default_rng(0), 0.02).astype(float) / 255
    assert abs(noisy.mean() - 0.5) < 0.002
    assert abs(noisy.std() - 0.02) < 0.001


def test_blur_spreads_a_point_and_keeps_its_light() -> None:
    point = np.zeros((21, 21), np.uint8)
    point[10, 10] = 250
    soft = blur(point, 1.0).astype(float)
    assert 15 < soft.max() < 100
    assert abs(soft.sum() - 250) < 40


def test_jpegs_decode_to_nearly_what_went_in() -> None:
    ramp = np.tile(np.linspace(0, 255, 64).astype(np.uint8)[:, None, None], (1, 64, 3))
    decoded = decode(encode_jpeg(ramp, 92))
    assert abs(decoded.astype(int) - ramp).max() < 8
