"""The house: imports point down, files stay short, kernels need no linear algebra library."""

import ast
import io
import tokenize
from pathlib import Path

import pytest

import gmmfast

pytestmark = pytest.mark.quick

PACKAGE = Path(gmmfast.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
NO_KERNELS = {"__init__", "caching", "claims", "compiling", "lowering", "simd", "threads"}
KERNELS = sorted((PACKAGE / "kernels").glob("*.py"))

# What a layer may import lies below it; what stands on one line is independent of each other.
# The root is the package's own __init__.py.
LAYERS = """
    __main__
    cli
    calculator
    plotting inference root
    analysis
    estimators
    files
    search
    reporting
    em
    rows
    models
    kernels
    parameters
    tables criteria quantiles marginals cumulative datasets
    data
    errors version tails
"""
RANK = {name: -row for row, line in enumerate(LAYERS.split("\n")) for name in line.split()}


def name_of(path):
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def layer(parts):
    """The layer of a module that is named from the package's root on."""
    return parts[0] if parts and parts[0] != "__init__" else "root"


def submodule(name):
    return (PACKAGE / f"{name}.py").exists() or (PACKAGE / name / "__init__.py").exists()


def imported_layers(tree):
    """Layers of this package that a module imports, also inside functions, with the line."""
    for statement in ast.walk(tree):
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                first, *rest = alias.name.split(".")
                if first == "gmmfast":
                    yield layer(rest), statement.lineno
        elif isinstance(statement, ast.ImportFrom):
            assert statement.level == 0, "imports within the package are absolute"
            first, *rest = statement.module.split(".")
            if first == "gmmfast" and rest:
                yield layer(rest), statement.lineno
            elif first == "gmmfast":
                for alias in statement.names:
                    yield layer([alias.name] if submodule(alias.name) else []), statement.lineno


def test_every_module_has_a_layer():
    assert {layer(path.relative_to(PACKAGE).with_suffix("").parts) for path in SOURCES} == {*RANK}


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_imports_point_down(path):
    importer = layer(path.relative_to(PACKAGE).with_suffix("").parts)
    upward = [
        f"line {line}: {importer} imports {imported}"
        for imported, line in imported_layers(ast.parse(path.read_text()))
        if imported != importer and RANK[imported] >= RANK[importer]
    ]
    assert not upward


def test_imports_are_found():
    """The walk sees every form of import, also within a function."""
    source = """
import gmmfast.em
from gmmfast import __version__, rows
if True:
    from gmmfast.models.base import Model
class A:
    import gmmfast.errors
def f():
    import gmmfast.cli
"""
    found = {imported for imported, _ in imported_layers(ast.parse(source))}
    assert found == {"em", "root", "rows", "models", "errors", "cli"}


def docstring_lines(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            yield from range(node.body[0].lineno, node.body[0].end_lineno + 1)


def lines_of_code(source):
    """Lines that hold something else than white space, comments and docstrings."""
    silent = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in silent and token.type != tokenize.ENDMARKER:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - {*docstring_lines(ast.parse(source))})


def test_lines_of_code_are_counted():
    source = (
        '"""Two\n\nlines."""\n\nx = 1  # one\n# none\ny = (\n    2\n)\n\ndef f():\n    """No."""\n'
    )
    assert lines_of_code(source) == 5


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_files_stay_short(path):
    assert lines_of_code(path.read_text()) <= 400


def decorators():
    """Names of the functions that compile kernels."""
    path = next(path for path in KERNELS if path.stem == "compiling")
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef) and "return _compiled(" in ast.unparse(node):
            yield node.name


DECORATORS = {*decorators()}


def is_kernel(node):
    names = [d.id for d in getattr(node, "decorator_list", []) if isinstance(d, ast.Name)]
    return bool(DECORATORS & {*names})


def test_kernels_are_found():
    assert {"kernel", "entry_kernel", "addressed_kernel", "allocating_kernel"} <= DECORATORS
    assert is_kernel(ast.parse("@entry_kernel\ndef f():\n    pass").body[0])


def products(function):
    """Uses of what Numba compiles by means of SciPy."""
    library = {"linalg", "dot", "vdot", "matmul", "inner", "tensordot", "kron"}
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and node.attr in library:
            yield f"line {node.lineno}: {ast.unparse(node)}"
        if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.MatMult):
            yield f"line {node.lineno}: {ast.unparse(node)}"


def test_products_are_found():
    source = "def f(a, b):\n    a @= b\n    return np.linalg.inv(a @ b) + np.dot(a, b) + a.dot(b)\n"
    assert len(list(products(ast.parse(source)))) == 5


@pytest.mark.parametrize("path", KERNELS, ids=name_of)
def test_kernels_need_no_linear_algebra_library(path):
    kernels = [node for node in ast.walk(ast.parse(path.read_text())) if is_kernel(node)]
    assert kernels or path.stem in NO_KERNELS
    assert not [use for kernel in kernels for use in products(kernel)]


def test_kernels__that_python_calls_have_an_entry():
    """The others have no machine code for it, and calling them ends the process."""
    inner, addressed = set(), set()
    for path in KERNELS:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                names = {own.id for own in node.decorator_list if isinstance(own, ast.Name)}
                if names & {"kernel", "called_kernel"}:
                    inner.add((path.stem, node.name))
                if "addressed_kernel" in names:
                    addressed.add(node.name)
    assert len(inner) > 50 and len(addressed) > 4
    called = []
    for path in SOURCES:
        tree, module = ast.parse(path.read_text()), path.stem
        known = {name for stem, name in inner if path in KERNELS and stem == module}
        nodes = list(ast.walk(tree))
        for node in nodes:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
                "gmmfast.kernels."
            ):
                stem = node.module.rpartition(".")[2]
                known |= {alias.name for alias in node.names if (stem, alias.name) in inner}
        if path in KERNELS:
            functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
            plain = [function for function in functions if not function.decorator_list]
            nodes = [node for function in plain for node in ast.walk(function)]
        for node in nodes:
            if isinstance(node, ast.Name) and node.id in known:
                called.append(f"{path.name}:{node.lineno} {node.id}")
            elif isinstance(node, ast.Call):
                if getattr(node.func, "id", getattr(node.func, "attr", "")) in addressed:
                    called.append(f"{path.name}:{node.lineno} {ast.unparse(node)}")
    assert not called
