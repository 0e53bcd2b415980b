import pytest
import torch

from handssl.evaluation.features import LabelledFeatures, ViewLabels
from handssl.evaluation.released import pose_loss, train_released
from handssl.evaluation.ridge import LinearMap


def test_the_loss_by_hand() -> None:
    prediction = torch.zeros(2, 21, 3)
    target = torch.zeros(2, 21, 3)
    target[0, 0] = torch.tensor([4.0, 8.0, 0.5])
    target[1] = torch.nan
    valid = torch.zeros(2, 21, dtype=torch.bool)
    valid[0, :2] = True
    # Two valid joints: |Δ(u, v)| = 12 over 4 coordinates, |Δz| = ½ over 2.
    assert pose_loss(prediction, target, valid).item() == pytest.approx(3 + 5 * 0.25)
    valid[:] = False
    assert pose_loss(prediction, target, valid) == 0


def test_epochs_draw_fresh_views_and_the_error_falls() -> None:
    asked = []

    def views(epoch: int) -> LabelledFeatures:
        asked.append(epoch)
        generator = torch.Generator().manual_seed(epoch)
        pose = torch.rand(400, 21, 3, generator=generator)
        mixing = torch.randn(63, 90, generator=torch.Generator().manual_seed(9))
        return LabelledFeatures(
            features=pose.flatten(1) @ mixing,
            labels=ViewLabels(
                pose=pose,
                valid=torch.ones(400, 21, dtype=torch.bool),
                bone_m=torch.ones(400),
                root_m=torch.ones(400),
                intrinsics=torch.eye(3).repeat(400, 1, 1),
                groups=torch.arange(400).numpy(),
            ),
        )

    new = views(99)

    def validate(layer: LinearMap) -> dict[str, float]:
        away = layer(new.features).view(-1, 21, 3) - new.labels.pose
        return {"error": float(away.abs().mean())}

    asked.clear()
    layer, history = train_released(views, validate, epochs=12, size_px=64, seed=0)
    assert asked == list(range(12))
    assert len(history) == 12
    assert history[-1]["error"] < 0.7 * history[0]["error"]
    assert validate(layer) == history[-1]
