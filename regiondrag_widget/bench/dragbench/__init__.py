"""The paper's experiment: DragBench edited by several methods, and the distances that papers report."""
