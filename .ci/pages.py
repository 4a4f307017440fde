"""The pages that are made from the notebooks and the benchmarks' tables."""

import csv
import re
from pathlib import Path

import nbformat

MARKS = "<!-- results:begin -->", "<!-- results:end -->"
PARTS = {
    "0": "Data and proof",
    "4": "Text",
    "6": "Users",
    "10": "Recommend",
    "13": "Act",
    "16": "Deploy",
    "19": "Elsewhere",
    "22": "All together",
}
HEAD = """\
<!-- Made from the notebooks' first cells by `make export`; edit those. -->

# The chapters

Each chapter is a notebook. Its main notebook gives the question and the answer; its parts, below
it, build what the main one uses. Every notebook exports one module of the library: what you read is
what runs. Notebooks without exercises are small on purpose.

- **In a hurry**: read the main chapters (bold), {mains} minutes.
- **An analyst**: [00](00_shop.ipynb), [01](01_clean.ipynb), [06](06_value.ipynb),
  [05](05_sentiment.ipynb), [22](22_pipeline.ipynb); then run it on your own data.
- **A lecturer or student**: each chapter's parts first, then its main; `make lab` opens the edition
  with exercises to solve.
- **An engineer**: [00a](00a_tables.ipynb), [00e stages](00e_stages.ipynb),
  [22](22_pipeline.ipynb) and [22a](22a_commands.ipynb), then the wing that you want to change.

| notebook | module | minutes | what you can do after it |
|---|---|---|---|
"""


def head_of(path: Path) -> dict[str, str]:
    """Title, promise, minutes and module of a chapter."""
    cells = nbformat.read(path, as_version=4).cells
    title, _, rest = cells[0].source.partition("\n")
    promise = next(line for line in rest.splitlines() if line.startswith(">"))
    promise = promise.lstrip("> ").removeprefix("After this chapter you can ")
    module = next(
        found[1] for cell in cells if (found := re.match(r"#\| default_exp (\S+)", cell.source))
    )
    return {
        "title": title.lstrip("# "),
        "promise": promise[0].lower() + promise[1:],
        "minutes": re.search(r"Minutes to read\*: (\d+)", rest)[1],
        "module": module,
    }


def reading_order(nbs: Path) -> list[str]:
    """The chapters' names: each main one, then its parts."""
    names = sorted(path.stem for path in nbs.glob("[0-9]*.ipynb"))
    return sorted(names, key=lambda name: (int(name[:2]), name[2].isalpha(), name))


def chapters(nbs: Path) -> str:
    """nbs/README.md: the map of the course."""
    rows, mains, total, part = [], 0, 0, None
    for name in reading_order(nbs):
        head, main = head_of(nbs / f"{name}.ipynb"), not name[2].isalpha()
        new = max((start for start in PARTS if int(start) <= int(name[:2])), key=int)
        if new != part:
            rows.append(f"| **{PARTS[new]}** | | | |")
            part = new
        total += int(head["minutes"])
        mains += int(head["minutes"]) * main
        bold = "**" if main else ""
        link = f"{bold}[{name}]({name}.ipynb){bold}"
        text = f"*{head['title']}*: {head['promise']}"
        rows.append(f"| {link} | `{head['module']}` | {head['minutes']} | {text} |")
    rows.append(f"| | total | {total} | |")
    return HEAD.format(mains=mains) + "\n".join(rows) + "\n"


def figure(row: dict[str, str]) -> str:
    """One line of a table of results."""
    if row["ours"]:
        spread = f"{row['low']} to {row['high']}, n = {row['n_runs']}"
        measured = f"{row['ours']} ({spread})" if row["low"] != row["high"] else row["ours"]
    else:
        measured = "not measured"
    elsewhere = " †" if re.search("published|before", row["peer"]) else ""
    peer = f"{row['peers_value']} ({row['peer']}){elsewhere}" if row["peers_value"] else ""
    peer = peer or (f"{row['peer']}{elsewhere}" if row["peer"] else "–")
    cells = row["task"], row["metric"], measured, peer, row["target"] or "–", row["met"] or "–"
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"


def results(folder: Path) -> str:
    """The tables of bench/results, one below the other."""
    text = ""
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        stamps = sorted({f"{row['machine']}; {row['device']}; {row['date']}" for row in rows})
        text += f"\n### {path.stem}: `make bench NAME={path.stem}`\n\n"
        text += (
            "| what was done | measured as | ours | peer | target | met |\n" + "|---" * 6 + "|\n"
        )
        text += "\n".join(map(figure, rows)) + "\n\n" + "\n\n".join(stamps) + "\n"
    return text


def benchmarks(page: str, folder: Path) -> str:
    """BENCHMARKS.md with the present tables between its marks."""
    before, _, rest = page.partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    return f"{before}{MARKS[0]}\n{results(folder)}\n{MARKS[1]}{after}"
