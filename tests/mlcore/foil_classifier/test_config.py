import pytest

from mlcore.errors import InvalidInput
from mlcore.foil_classifier.config import PRESETS, Config, make_config
from mlcore.registry import get_system


def test_the_registry_knows_the_presets_without_torch():
    assert get_system("foil_classifier").presets == ("quick", "full", "paper")


def test_settings_come_back_from_json():
    config = make_config("paper", {"hard_share": 0.5, "channels": [8, 16], "pool_after": []})
    assert Config.from_json(config.to_json()) == config


def test_the_published_recipe_is_what_is_published():
    paper = PRESETS["paper"]
    # "Up to 20,000" images in each step; how often each was seen is not said.
    assert paper.steps_2 * paper.batch_2 == 20_000
    assert paper.steps_1 * paper.batch_1 == 10 * 20_000
    assert (paper.crop_1_px, paper.crop_2_px) == (150, (384, 512))
    assert (paper.hard_share, paper.mine_every, paper.broken_share, paper.floor_share) == (0, 0, 0, 0)
    assert (paper.residue_share, paper.elastic) == (0, 0)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"nothing": 1}, "no setting 'nothing'"),
        ({"steps_1": -1}, "steps_1 is a whole number from 0 up"),
        ({"steps_1": 0, "steps_2": 0}, "at least one step"),
        ({"batch_1": 0}, "batch_1 is a whole number from 1 up"),
        ({"batch_2": 1}, "2 or more"),
        ({"batch_1": True}, "batch_1 is a whole number"),
        ({"hard_share": 1.5}, "from 0 to 1"),
        ({"rate_1": float("nan")}, "rate_1 is a number"),
        ({"precision": "float16"}, "float32, bfloat16"),
        ({"batch_norm": 1}, "batch_norm is true or false"),
        ({"dense": [16, 2]}, "last dense layer has width 1"),
        ({"dense": []}, "dense is a list"),
        ({"first_kernel_px": 4}, "odd"),
        ({"pool_after": [8]}, "counted from 0"),
        ({"size_px": [9.0, 4.0]}, "lowest and then the highest"),
        ({"crop_2_px": [384]}, "2 numbers"),
        ({"crop_1_px": 8}, "too small"),
        ({"aspect": 0.5}, "1 or more"),
        ({"size_px": [0.0, 50.0]}, "begin above 0"),
        ({"scale": [0.0, 1.0]}, "begin above 0"),
        ({"residue_width": [0.0, 1.0]}, "begin above 0"),
        ({"floor_power": [0.0, 1.0]}, "begin above 0"),
        ({"paired": [0.5, 2.0]}, "from 0 to 1"),
        ({"fit": [0.5, 2.0]}, "1 or more"),
        ({"pool_after": [0, 1, 2, 3, 4]}, "Nothing is left of a picture of 32 px"),
    ],
)
def test_it_refuses(overrides: dict[str, object], said: str):
    with pytest.raises(InvalidInput, match=said):
        make_config("quick", overrides)


def test_it_refuses_an_unknown_preset():
    with pytest.raises(InvalidInput, match="quick, full, paper"):
        make_config("slow", {})
