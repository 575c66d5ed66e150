"""``python -m wristseg`` is the same as ``wristseg``."""

import sys

from wristseg.cli.main import main

sys.exit(main())
