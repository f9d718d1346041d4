"""Files stay under 400 lines and functions under 60, unless a line `# long: reason` inside says why not."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_FOLDERS = ("src", "tools", "bench")
_FILE_LINES = 400
_FUNCTION_LINES = 60
_REASON = "# long: "


def main() -> int:
    """Prints what is too long; the exit status for a shell."""
    found = [
        complaint
        for folder in _FOLDERS
        for path in sorted((_ROOT / folder).rglob("*.py"))
        if "versions" not in path.parts  # a migration is a record, never edited again
        for complaint in _complaints(path)
    ]
    for complaint in found:
        print(complaint)
    print(f"sizes: {len(found)} too long" if found else "sizes: fine")
    return 1 if found else 0


def _complaints(path: Path) -> list[str]:
    text = path.read_text()
    lines = text.splitlines()
    name = path.relative_to(_ROOT)
    found = []
    if len(lines) > _FILE_LINES and not any(line.startswith(_REASON) for line in lines):
        found.append(f"{name}: {len(lines)} lines, at most {_FILE_LINES}")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            length = node.end_lineno - node.lineno + 1
            body = lines[node.lineno - 1 : node.end_lineno]
            if length > _FUNCTION_LINES and not any(_REASON in line for line in body):
                found.append(
                    f"{name}:{node.lineno}: {node.name} has {length} lines, at most {_FUNCTION_LINES}"
                )
    return found


if __name__ == "__main__":
    sys.exit(main())
