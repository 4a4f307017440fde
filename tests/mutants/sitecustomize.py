"""Python runs this at its start where this folder is on PYTHONPATH, as `.ci/mutants` puts it there.

Where SEGTUTORIAL_FAULT names a fault, the module that it belongs to is read with the fault in it,
in every process of a test. Nothing on disk is changed, and no compiled file is read or written.
"""

import os

if os.environ.get("SEGTUTORIAL_FAULT"):
    import ast
    import sys
    from importlib.machinery import PathFinder, SourceFileLoader
    from pathlib import Path

    class Faulty(SourceFileLoader):
        """Loads one module with the fault in it, and leaves a note that it did."""

        def get_code(self, fullname):
            from mutant_rewrite import rewritten
            from mutant_table import FAULTS

            fault = next(fault for fault in FAULTS if fault.name == os.environ["SEGTUTORIAL_FAULT"])
            tree = rewritten(fault, ast.parse(self.get_data(self.path)))
            Path(os.environ["SEGTUTORIAL_FAULT_SEEN"]).touch()
            return compile(tree, self.path, "exec", dont_inherit=True)

    class Finder:
        """Finds modules as usual; for the fault's own file the loader is another one."""

        @staticmethod
        def find_spec(name, path=None, target=None):
            if name.split(".")[0] != "segtutorial":
                return None
            spec = PathFinder.find_spec(name, path, target)
            if (
                spec
                and spec.origin
                and os.path.realpath(spec.origin) == os.environ["SEGTUTORIAL_FAULT_FILE"]
            ):
                spec.loader = Faulty(name, spec.origin)
            return spec

    sys.meta_path.insert(0, Finder)
