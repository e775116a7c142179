import numpy as np
import torch

from mlcore.foil_classifier.config import make_config
from mlcore.foil_classifier.mining import Mining

CONFIG = make_config(
    "full", {"steps_1": 10, "mine_every": 5, "mine_pool": 40, "mine_share": 0.1, "mine_weight": 5.0}
)


class Believed:
    """A network that believes the blanks more the higher their number."""

    def __init__(self) -> None:
        self.asked = list[np.ndarray]()

    def __call__(self, numbers: np.ndarray) -> np.ndarray:
        self.asked.append(numbers)
        return numbers.astype(float)


def test_the_most_believed_blanks_are_drawn_more_often():
    mining = Mining(40, CONFIG, Believed())
    weights = mining.weights(10, np.random.default_rng(1))
    assert weights is not None
    np.testing.assert_allclose(weights.sum(), 1.0)
    np.testing.assert_allclose(weights[36:] / weights[0], 5.0)
    np.testing.assert_allclose(weights[:36], weights[0])


def test_it_begins_with_the_second_step_and_looks_anew_now_and_then():
    asked = Believed()
    mining = Mining(100, CONFIG, asked)
    random = np.random.default_rng(1)
    assert mining.weights(0, random) is None
    for step in range(9, 21):
        mining.weights(step, random)
    assert [len(numbers) for numbers in asked.asked] == [40, 40, 40]


def test_it_can_be_left_out():
    mining = Mining(40, make_config("paper", {}), Believed())
    assert mining.weights(6250, np.random.default_rng(1)) is None


def test_it_goes_on_from_a_checkpoint_with_the_weights_it_had():
    mining, again = (Mining(40, CONFIG, Believed()) for _ in range(2))
    again.take_up(mining.state())
    assert again.weights(11, np.random.default_rng(1)) is None
    mining.weights(10, np.random.default_rng(1))
    state = mining.state()
    assert all(isinstance(value, torch.Tensor) for value in state.values())
    again.take_up(state)
    random = np.random.default_rng(1)
    np.testing.assert_array_equal(again.weights(11, random), mining.weights(11, random))
