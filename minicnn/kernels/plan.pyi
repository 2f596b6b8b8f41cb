from typing import Any

import numpy as np
import numpy.typing as npt

def plan_prepare(program: Any, winograd: bool) -> Any: ...
def plan_algorithms(plan: Any) -> list[str]: ...
def plan_run(
    plan: Any, x: npt.NDArray[np.float32], y: npt.NDArray[np.float32], num_threads: int
) -> None: ...
