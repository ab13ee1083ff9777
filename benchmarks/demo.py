"""Does the demo take under a minute the second time?"""

import subprocess
import sys
import time
from pathlib import Path

from recording import about, figure, keep

DEMO = Path(__file__).parents[1] / "examples" / "demo.py"


def demo_s() -> float:
    """One run, nothing warm: the household is stopped before."""
    stop = [str(Path(sys.executable).with_name("lumbre")), "stop"]
    subprocess.run(stop, check=True, capture_output=True)
    begun = time.perf_counter()
    subprocess.run([sys.executable, str(DEMO)], check=True)
    return time.perf_counter() - begun


def main() -> None:
    facts = about()
    first, second = demo_s(), demo_s()
    result = {
        "figures": [figure("make demo, the second time", second, 60, "s")],
        "first_s": round(first, 1),
        "second_s": round(second, 1),
    }
    keep("demo", facts, result)


if __name__ == "__main__":
    main()
