"""Settings of readers that need PyTorch: no internet, no folders of the user."""

from __future__ import annotations

import os
import tempfile

os.environ |= {
    "KERAS_BACKEND": "torch",
    "YOLO_AUTOINSTALL": "False",
    "YOLO_CONFIG_DIR": tempfile.mkdtemp(),
    "YOLO_OFFLINE": "True",
}
