"""Run every benchmark here, one after the other; each keeps its own result."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
NOT_BENCHMARKS = {"run", "recording", "memory_cells", "homes", "intervals", "sampling"}


def main() -> int:
    failed = []
    for path in sorted(HERE.glob("*.py")):
        if path.stem not in NOT_BENCHMARKS:
            print(f"== {path.stem}", flush=True)
            if subprocess.run([sys.executable, str(path)], check=False).returncode:
                failed.append(path.stem)
    if failed:
        print(f"not finished, or a figure missed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
