"""Masks of the real SO-101 in MuJoCo, and the same observations as a model's."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from tests.policy.arm_env import FRAME_HW, ArmEnv, pick_scene
from wristseg.classes import DEFAULT_CLASSES
from wristseg.errors import DataError

# Before any picture is rendered: loading PyTorch's compiler after Mesa's ends the process, since
# both bring an LLVM of their own.
from wristseg.modeling import checkpoint  # noqa: F401
from wristseg.policy import ObservationContract, PolicyObservation
from wristseg.policy.mujoco_masks import (
    SO101_RULES,
    GeomRule,
    MujocoMasks,
    classes_of_geoms,
)
from wristseg.policy.wrappers import predicted_observation, rendered_observation

pytestmark = pytest.mark.sim


@pytest.fixture(scope="module")
def env():
    env = ArmEnv()
    yield env
    env.close()


@pytest.fixture(scope="module")
def masks(env):
    masks = MujocoMasks(env.model, env.data, camera="wrist", size_hw=FRAME_HW)
    yield masks
    masks.close()


def named(model, found):
    return {
        model.geom(i).name: DEFAULT_CLASSES.names[class_id]
        for i, class_id in enumerate(found)
        if model.geom(i).name
    }


def test_geoms_are_named_by_body_and_mesh(env):
    found = named(env.model, classes_of_geoms(env.model))
    assert found["block"] == "cube"
    assert found["floor"] == "table"
    assert found["static_finger"] == "static_finger"
    assert found["cage"] == "background"
    assert found["moving_finger"] == "moving_finger"


def test_mesh_that_was_not_cut_is_the_static_finger_as_a_whole():
    model = pick_scene(split=False).compile()
    found = classes_of_geoms(model)
    called = {
        model.mesh(model.geom_dataid[i]).name
        for i in range(model.ngeom)
        if DEFAULT_CLASSES.names[found[i]] == "static_finger" and model.geom_dataid[i] >= 0
    }
    assert called == {"wrist_roll_follower_so101_v1"}


def test_moving_finger_is_left_of_the_static_one_and_the_cube_is_seen(env, masks):
    env.reset(seed=0)
    ids = masks()
    assert (ids.shape, ids.dtype) == (FRAME_HW, np.uint8)
    assert set(np.unique(ids)) == {2, 3, 4, 5}
    columns = {i: np.nonzero(ids == i)[1].mean() for i in (4, 5)}
    assert columns[5] < columns[4]


def test_ids_lie_where_the_picture_shows_the_cube(env, masks):
    frame = env.reset(seed=0)[0]["wrist"].astype(int)
    purple = (frame[..., 0] - frame[..., 1] > 40) & (frame[..., 2] - frame[..., 1] > 40)
    cube = masks() == DEFAULT_CLASSES.id_of("cube")
    assert (purple & cube).sum() / (purple | cube).sum() > 0.9


def test_class_without_a_geom_is_an_error_that_names_the_bodies(env):
    rules = [rule for rule in SO101_RULES if rule.class_name != "cube"]
    rules.append(GeomRule("cube", body="brick"))
    with pytest.raises(DataError, match=r"no geom is called cube; bodies are .*block.*gripper"):
        classes_of_geoms(env.model, rules=rules)
    assert len(classes_of_geoms(env.model, rules=rules, absent=["cube"])) == env.model.ngeom


def test_rule_for_an_unknown_class_is_an_error(env):
    with pytest.raises(DataError, match="name brick; the classes are unlabeled"):
        classes_of_geoms(env.model, rules=[GeomRule("brick")])


@pytest.mark.filterwarnings("ignore:.*is different from the unwrapped version")
@pytest.mark.parametrize("channels", ["ids", "one-hot"])
def test_shipped_model_and_simulator_give_observations_of_one_kind(env, masks, channels):
    """The same scene through the model's eyes and through the simulator's: only masks differ."""
    contract = ObservationContract(
        class_map={name: max(i - 1, 0) for i, name in enumerate(DEFAULT_CLASSES.names)},
        channels=channels,
    )
    model = PolicyObservation.load("sim-84", contract=contract, device="cpu")
    real = predicted_observation(env, model, key="wrist")
    known = rendered_observation(env, masks, contract=contract, classes=model.classes, key="wrist")
    assert real.observation_space == known.observation_space
    for wrapped in (real, known):
        check_env(wrapped, skip_render_check=True)
        observation, _ = wrapped.reset(seed=0)
        assert observation in wrapped.observation_space
        np.testing.assert_array_equal(observation["wrist"][0], observation["wrist"][2])
        after = wrapped.step(np.full(6, 0.5, np.float32))[0]["wrist"]
        np.testing.assert_array_equal(after[1], observation["wrist"][2])
        assert (after[2] != observation["wrist"][2]).any()
