"""``python -m regiondrag_widget`` is the command ``regiondrag``."""

import sys

from regiondrag_widget.cli import main

sys.exit(main())
