"""Lines of an INI file, as they stand there."""

from pathlib import Path


class IniLines:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and line[0] not in "#;"]

    def section(self, name: str, *keys: str) -> str:
        """The section with its header; only the lines of ``keys`` below it when some are named."""
        start = self.lines.index(f"[{name}]")
        below = iter(self.lines[start + 1 :])
        taken = [self.lines[start]]
        for line in below:
            if line.startswith("["):
                break
            if not keys or line.split(" = ")[0] in keys:
                taken.append(line)
        return "\n".join(taken)
