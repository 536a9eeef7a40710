"""Which modules a function finds: its own, its dependencies', and those that are there on Lambda whatever it brings."""

# What Lambda's own client has imported before the function: a module of the function does not hide it.
IMPORTED = set((
    "__future__ _collections_abc _colorize _decimal _json _weakrefset collections concurrent contextlib copyreg decimal enum"
    " functools genericpath heapq importlib json keyword linecache logging math numbers operator os posixpath queue re reprlib"
    " stat string textwrap threading traceback types warnings weakref"
).split())
BY_VERSION = {12: "token tokenize", 14: "_py_warnings annotationlib ast copy dataclasses inspect"}
IMPORTED.update(BY_VERSION.get(sys.version_info[1], "").split())


class Standard:
    """Finds these. Lambda's handler is there before a function logs: it is made as soon as somebody imports logging."""

    FINDER, PATH = sys.meta_path[-1], list(sys.path)
    has_logging = False

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if path is not None or name not in IMPORTED:
            return None
        spec = cls.FINDER.find_spec(name, cls.PATH)
        if name == "logging" and not cls.has_logging:
            cls.has_logging = True
            execute = spec.loader.exec_module

            def exec_module(module):
                execute(module)
                enter(LOGS)

            spec.loader.exec_module = exec_module
        return spec


# The packages that Lambda's image has of its own, which a function may import without bringing them.
OF_THE_IMAGE = {"boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"}


class Image:
    """Finds, of the packages of this machine, what Lambda's image has too: a function is not to find any other here."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if path is None and name in OF_THE_IMAGE:
            environment = os.path.dirname(os.path.dirname(sys.executable))
            folders = site.getsitepackages([environment, sys.base_prefix])
            return Standard.FINDER.find_spec(name, folders, target)


def load():
    module, dot, function = HANDLER.rpartition(".")
    if not dot:
        reason = "not enough values to unpack (expected 2, got 1)"
        raise Fault("Runtime.MalformedHandlerName", f"Bad handler '{HANDLER}': {reason}")
    if module.split(".")[0] in sys.builtin_module_names:
        raise Fault("Runtime.BuiltInModuleConflict", f"Cannot use built-in module {module} as a handler module")
    try:
        loaded = importlib.import_module(module.replace("/", "."))
    except ImportError as error:
        raise Fault("Runtime.ImportModuleError", f"Unable to import module '{module}': {error}") from None
    except SyntaxError as error:
        place = f'  File "{error.filename}" Line {error.lineno}\n    {error.text}'
        raise Fault("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module}': {error}", [place]) from None
    try:
        return getattr(loaded, function)
    except AttributeError:
        raise Fault("Runtime.HandlerNotFound", f"Handler '{function}' missing on module '{module}'") from None
