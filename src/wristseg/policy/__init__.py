"""What a policy gets: camera frames or a simulator's masks in, observations out, to the byte.

Follows the observation contract of a model file. ``PolicyObservation`` is for a robot's loop,
``MaskObservation`` for masks that are known already, ``wristseg.policy.wrappers`` for Gymnasium.
Importing this package loads neither PyTorch nor MuJoCo nor Gymnasium.
"""

from wristseg.observation import ObservationContract
from wristseg.policy.encoder import FrameStack, MaskEncoder, MaskObservation
from wristseg.policy.observation import PolicyObservation

__all__ = [
    "FrameStack",
    "MaskEncoder",
    "MaskObservation",
    "ObservationContract",
    "PolicyObservation",
]
