"""LeRobot cameras of type ``wristseg``: a wrist camera's picture, and the mask of the same frame.

LeRobot imports this package because of its name, which registers the type, and looks here for the
camera that belongs to the config.
"""

from lerobot_camera_wristseg.camera import WristsegCamera
from lerobot_camera_wristseg.configuration import WristsegCameraConfig

__all__ = ["WristsegCamera", "WristsegCameraConfig"]
