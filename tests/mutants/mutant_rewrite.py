"""A deliberate fault in the package, as a rewrite of a function's syntax tree.

A fault names a function and two snippets of Python: what to find in it, and what to put there. Both
are compared and exchanged as syntax trees, so layout, comments, line numbers and the module's place
in the package do not matter.
"""

import ast
import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "segtutorial"
IGNORED = ("ctx", "kind", "type_comment")  # fields that do not change what an expression means here


@dataclass(frozen=True)
class Fault:
    """One mistake that a maintainer could make.

    `target` is a qualified name inside its module, such as `MF.fit`: it is searched for in all
    modules of the package. `find` is an expression or one statement; `_1`, `_2` … stand for any
    expression, `*_1` for all further arguments of a call and `**_1` for all its further keywords.
    `put` may use the same names again; for a statement it may be several, or `pass`. `times` says
    how often the snippet is expected in the target, and each time it is replaced.
    """

    name: str
    target: str
    find: str
    put: str
    tests: str
    times: int = 1


class NoMatch(Exception):
    """A fault that fits no place of the present source, or more than one."""


def definitions(tree: ast.Module, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ast.stmt]]:
    """The functions, classes and top-level assignments of a module, with their qualified names."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield ".".join((*path, node.name)), node
            yield from definitions(node, (*path, node.name))
        elif not path and isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    yield target.id, node


def snippet(source: str) -> list[ast.stmt] | ast.expr:
    body = ast.parse(source).body
    return body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else body


def wildcard(node: object) -> str | None:
    return node.id if isinstance(node, ast.Name) and re.fullmatch(r"_\d+", node.id) else None


def same(one: object, other: object) -> bool:
    """Whether two trees mean the same, wherever they stand."""
    return matches(one, other, {}, strict=True)


def bind(name: str, value: object, bound: dict) -> bool:
    if name in bound:
        return same(bound[name], value)
    bound[name] = value
    return True


def arguments_match(pattern: ast.Call, node: ast.Call, bound: dict) -> bool:
    """Positional arguments in order, keywords by name; `*_1` and `**_2` take what is left."""
    first, rest = list(pattern.args), None
    if first and isinstance(first[-1], ast.Starred) and wildcard(first[-1].value):
        rest = wildcard(first.pop().value)
    if len(node.args) < len(first) or (rest is None and len(node.args) > len(first)):
        return False
    if not all(matches(want, have, bound) for want, have in zip(first, node.args)):
        return False
    if rest and not bind(rest, node.args[len(first) :], bound):
        return False
    left, more = {keyword.arg or id(keyword): keyword for keyword in node.keywords}, None
    for keyword in pattern.keywords:
        if keyword.arg is None and wildcard(keyword.value):
            more = wildcard(keyword.value)
        elif keyword.arg not in left or not matches(
            keyword.value, left.pop(keyword.arg).value, bound
        ):
            return False
    return bind(more, list(left.values()), bound) if more else not left


def matches(pattern: object, node: object, bound: dict, strict: bool = False) -> bool:
    """Whether a tree is what the pattern says; `bound` collects what its wildcards stand for."""
    if not strict and (name := wildcard(pattern)):
        return isinstance(node, ast.expr) and bind(name, node, bound)
    if isinstance(pattern, list):
        return (
            isinstance(node, list)
            and len(pattern) == len(node)
            and all(matches(*pair, bound, strict) for pair in zip(pattern, node))
        )
    if not isinstance(pattern, ast.AST):
        return type(pattern) is type(node) and pattern == node
    if type(pattern) is not type(node):
        return False
    fields = [name for name in pattern._fields if name not in IGNORED]
    if isinstance(pattern, ast.Call) and not strict:
        return matches(pattern.func, node.func, bound) and arguments_match(pattern, node, bound)
    return all(
        matches(getattr(pattern, name, None), getattr(node, name, None), bound, strict)
        for name in fields
    )


class Filled(ast.NodeTransformer):
    """A snippet with its wildcards replaced by what they were bound to."""

    def __init__(self, bound: dict):
        self.bound = bound

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return copy.deepcopy(self.bound[node.id]) if wildcard(node) else node

    def visit_Call(self, node: ast.Call) -> ast.Call:
        args, keywords = [], []
        for part in node.args:
            rest = isinstance(part, ast.Starred) and wildcard(part.value)
            args += copy.deepcopy(self.bound[rest]) if rest else [self.visit(part)]
        for part in node.keywords:
            more = part.arg is None and wildcard(part.value)
            keywords += copy.deepcopy(self.bound[more]) if more else [self.visit(part)]
        node.func, node.args, node.keywords = self.visit(node.func), args, keywords
        return node


class Replaced(ast.NodeTransformer):
    """Replaces every place that a fault's snippet fits, and counts them."""

    def __init__(self, fault: Fault):
        self.find, self.put, self.found = snippet(fault.find), snippet(fault.put), 0
        self.one = isinstance(self.find, ast.expr)
        if not self.one and len(self.find) != 1:
            raise NoMatch(
                f"{fault.name}: find has {len(self.find)} statements; "
                "allowed: an expression or one statement"
            )
        if self.one and not isinstance(self.put, ast.expr):
            raise NoMatch(f"{fault.name}: find is an expression, and put is not")

    def visit(self, node: ast.AST) -> ast.AST | list[ast.stmt]:
        bound: dict = {}
        if not matches(self.find if self.one else self.find[0], node, bound):
            return super().generic_visit(node)
        self.found += 1
        put = [self.put] if isinstance(self.put, ast.expr) else self.put
        new = [Filled(bound).visit(copy.deepcopy(part)) for part in put]
        for part in new:
            if self.one and hasattr(node, "ctx") and hasattr(part, "ctx"):
                part.ctx = node.ctx
            for inner in ast.walk(part):
                ast.copy_location(inner, node)
        if self.one:
            return new[0]
        return [ast.Expr(part) if isinstance(part, ast.expr) else part for part in new]


def targets(fault: Fault, tree: ast.Module) -> list[ast.stmt]:
    """The definitions of a module that bear the name of the fault's target and hold its snippet as
    often as expected."""
    found = []
    for name, node in definitions(tree):
        if name == fault.target:
            change = Replaced(fault)
            change.generic_visit(copy.deepcopy(node))
            found += [node] * (change.found == fault.times)
    return found


def rewritten(fault: Fault, tree: ast.Module) -> ast.Module | None:
    """The module with the fault in it, or None where the fault does not fit it."""
    tree = copy.deepcopy(tree)
    found = targets(fault, tree)
    for node in found:
        Replaced(fault).generic_visit(node)
    return ast.fix_missing_locations(tree) if found else None


def sources(package: Path = PACKAGE) -> dict[Path, ast.Module]:
    """Every module of the package as a syntax tree, sub-packages too."""
    return {
        path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(package.rglob("*.py"))
    }


def place(fault: Fault, trees: dict[Path, ast.Module]) -> Path:
    """The file in which the fault fits; `NoMatch` where there is none, or more than one."""
    named = [
        path
        for path, tree in trees.items()
        if any(name == fault.target for name, _ in definitions(tree))
    ]
    fits = [path for path in named if targets(fault, trees[path])]
    if len(fits) != 1:
        where = ", ".join(path.stem for path in (fits or named)) or "no module"
        raise NoMatch(
            f"{fault.name}: {fault.target} is in {where}, and {len(fits)} of them hold "
            f"{fault.times} × `{fault.find}`; needed: one"
        )
    return fits[0]
