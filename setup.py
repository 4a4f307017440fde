"""Package metadata, read from settings.ini so that it stands in one place."""

from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent
ini = ConfigParser(delimiters=["="])
ini.read(here / "settings.ini", encoding="utf-8")
cfg = ini["DEFAULT"]
readme = here / "README.md"

setup(
    name=cfg["lib_name"],
    version=cfg["version"],
    description=cfg["description"],
    long_description=readme.read_text(encoding="utf-8") if readme.exists() else cfg["description"],
    long_description_content_type="text/markdown",
    author=cfg["author"],
    license="Apache-2.0",
    keywords=cfg["keywords"].split(),
    python_requires=">=" + cfg["min_python"],
    packages=find_packages(include=["segtutorial*"]),
    package_data={
        "segtutorial": ["templates/*", "locale/*/LC_MESSAGES/*.po"],
        "segtutorial.core": ["lists/*"],
        "segtutorial.course": ["exercises.json"],
        "segtutorial.features": ["lists/*"],
        "segtutorial.sentiment": ["lists/*", "models/*"],
        "segtutorial.simulation": ["lists/*"],
    },
    install_requires=cfg["requirements"].split(),
    extras_require={
        "dev": cfg["dev_requirements"].split(),
        "fast": cfg["fast_requirements"].split(),
        "bench": cfg["bench_requirements"].split(),
    },
    entry_points={"console_scripts": cfg["console_scripts"].split()},
    zip_safe=False,
)
