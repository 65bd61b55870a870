"""Pictures: reading them, cutting objects out, filling holes, composing; numpy and OpenCV, no torch."""
