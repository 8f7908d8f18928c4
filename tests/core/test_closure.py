"""The files that a module's code consists of, on small packages written for the test."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.closure import closure, code_hash, folded, imports

FILES = {
    "pipeline/__init__.py": '"""Only a docstring."""\n',
    "pipeline/stage.py": "import json\nfrom pipeline.used import direct\n",
    "pipeline/used/__init__.py": '"""Only a docstring."""\n',
    "pipeline/used/direct.py": "import pipeline.used.second\n",
    "pipeline/used/second.py": "def late():\n    from pipeline.part.lazy import f\n    return f\n",
    "pipeline/part/__init__.py": "VERSION = 1\n",
    "pipeline/part/lazy.py": 'CHILD = "pipeline.part.child"\ndef f(): ...\n',
    "pipeline/part/child.py": "A = 1\n",
    "pipeline/part/unused.py": "import pipeline.other\n",
    "pipeline/other.py": "A = 1\n",
}
CLOSURE = ("pipeline/part/__init__.py", "pipeline/part/child.py", "pipeline/part/lazy.py", "pipeline/stage.py",
           "pipeline/used/direct.py", "pipeline/used/second.py")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, code in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(code, encoding="utf-8")
    return tmp_path


def test_the_closure_is_every_module_imported_directly_indirectly_lazily_or_by_name_in_a_string(root: Path) -> None:
    assert closure("pipeline.stage", root) == CLOSURE


def test_the_closure_of_a_module_without_imports_is_the_module(root: Path) -> None:
    assert closure("pipeline.other", root) == ("pipeline/other.py",)


def test_modules_that_import_each_other_are_in_the_closure_once(tmp_path: Path) -> None:
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline/a.py").write_text("import pipeline.b\n", encoding="utf-8")
    (tmp_path / "pipeline/b.py").write_text("import pipeline.a\n", encoding="utf-8")
    assert closure("pipeline.a", tmp_path) == ("pipeline/a.py", "pipeline/b.py")


def test_from_import_is_a_module_only_if_its_file_exists(root: Path) -> None:
    file = root / "pipeline/reader.py"
    file.write_text("from pipeline.used import direct, missing\nimport numpy.linalg\n", encoding="utf-8")
    assert imports(file, root) == {"pipeline.used.direct", "pipeline.used", "numpy.linalg"}


def test_a_relative_import_is_refused_with_its_line(root: Path) -> None:
    file = root / "pipeline/used/relative.py"
    file.write_text("A = 1\nfrom . import direct\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"relative\.py: relative import in line 2; name the package"):
        imports(file, root)


def test_a_package_is_folded_only_if_all_of_its_modules_are_in_the_closure(root: Path) -> None:
    partly = folded(closure("pipeline.stage", root), root)
    assert partly == ["pipeline/part/__init__.py", "pipeline/part/child.py", "pipeline/part/lazy.py", "pipeline/stage.py", "pipeline/used"]
    (root / "pipeline/part/unused.py").unlink()
    assert folded(CLOSURE, root) == ["pipeline/part", "pipeline/stage.py", "pipeline/used"]


def test_a_package_within_a_folded_package_is_not_listed_again(root: Path) -> None:
    (root / "pipeline/used/inner").mkdir()
    (root / "pipeline/used/inner/deep.py").write_text("A = 1\n", encoding="utf-8")
    files = ("pipeline/used/direct.py", "pipeline/used/inner/deep.py", "pipeline/used/second.py")
    assert folded(files, root) == ["pipeline/used"]
    assert folded(files[1:], root) == ["pipeline/used/inner", "pipeline/used/second.py"]


@pytest.mark.parametrize("name", CLOSURE)
def test_the_code_hash_changes_with_each_file_of_the_closure(root: Path, name: str) -> None:
    before = code_hash("pipeline.stage", root)
    (root / name).write_text(FILES[name] + "B = 2\n", encoding="utf-8")
    assert code_hash("pipeline.stage", root) != before


@pytest.mark.parametrize("name", sorted(FILES.keys() - set(CLOSURE)))
def test_the_code_hash_ignores_files_outside_the_closure_and_docstrings_of_packages(root: Path, name: str) -> None:
    before = code_hash("pipeline.stage", root)
    (root / name).write_text('"""Another docstring."""\n', encoding="utf-8")
    assert code_hash("pipeline.stage", root) == before


def test_the_code_hash_depends_on_file_names(root: Path) -> None:
    before = code_hash("pipeline.other", root)
    (root / "pipeline/other.py").rename(root / "pipeline/renamed.py")
    assert code_hash("pipeline.renamed", root) != before
