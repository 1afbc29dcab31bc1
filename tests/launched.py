"""Little programs that test_launch.py starts in both ways, by what they do."""

from __future__ import annotations

FACTS = """
import os, sys
print({name: repr(value).split(" object at")[0] for name, value in list(globals().items())})
print(sys.argv, sys.path, os.getcwd(), sys.modules["__main__"].__dict__ is globals())
print(sys.warnoptions, sys.flags, __debug__)
"""

FINISHED = {
    "sees the same __main__": FACTS,
    "reads stdin": "import sys; print(input(), sys.stdin.read())",
    "exits with a number": "raise SystemExit(7)",
    "exits with a negative number": "raise SystemExit(-1)",
    "exits with a large number": "raise SystemExit(257)",
    "exits with None": """
        import atexit, sys
        atexit.register(lambda: print("__file__" in globals()))
        sys.exit(None)
        """,
    "exits with True": "import sys; sys.exit(True)",
    "exits with a message": "import sys; print('out'); sys.exit('something is wrong')",
    "exits with an object": "import sys; sys.exit({'a': 1})",
    "exits at once": "import os; print('a', flush=True); print('lost'); os._exit(3)",
    "warns": """
        import warnings
        def f(level): warnings.warn("hello", stacklevel=level)
        f(1)
        f(2)
        f(3)
        warnings.warn("old", DeprecationWarning)
        warnings.warn("at the top", stacklevel=2)
        """,
    "has a syntax warning": "x = '\\d'\nassert (1, 'x')",
    "pickles its classes": """
        import pickle
        class A:
            x: int = 1
        print(pickle.loads(pickle.dumps(A())).x, A.__module__, A.__annotations__)
        """,
    "has annotations": "x: int = 1\nimport sys\nprint(sys.modules['__main__'].__annotations__)",
    "imports itself": "import __main__; x = 1; print(__main__.x, __main__.__name__)",
    "takes no future imports from us": "def f(x: print('evaluated')): pass\nf.__annotations__",
    "has a thread that outlives it": """
        import threading
        def late():
            threading.main_thread().join()
            print("late", "__file__" in globals())
        threading.Thread(target=late).start()
        print("main is done")
        """,
    "has a daemon thread": """
        import threading
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        """,
    "has a thread pool": """
        from concurrent.futures import ThreadPoolExecutor
        pool = ThreadPoolExecutor(1)
        pool.submit(lambda: print("pooled"))
        """,
    "fails in a thread": """
        import threading
        threading.Thread(target=lambda: 1 / 0, name="worker").start()
        """,
    "has exit handlers": """
        import atexit, threading
        atexit.register(print, "first in, last out")
        atexit.register(lambda: print("__file__" in globals()))
        atexit.register(lambda: 1 / 0)
        def late():
            threading.main_thread().join()
            atexit.register(print, "registered by a thread")
        threading.Thread(target=late).start()
        """,
    "fails in an exit handler without frames": """
        import atexit, os
        atexit.register(os.remove, "nothing")
        """,
    "exits in an exit handler": "import atexit, sys; atexit.register(sys.exit, 3)",
    "has its own unraisable hook": """
        import atexit, sys
        sys.unraisablehook = lambda args: print("unraisable", args.exc_value, args.exc_traceback)
        atexit.register(int, "x")
        """,
    "has finalizers": """
        class A:
            def __del__(self): print("deleted")
        a = A()
        file = open("log.txt", "w")
        file.write("kept")
        """,
    "closes stdout": "import sys; sys.stdout.close()",
    "has no stdout": "import sys; sys.stdout = None",
    "is interrupted while its thread works": """
        import atexit, os, signal, threading
        done = threading.Event()
        atexit.register(done.set)
        def late():
            threading.main_thread().join()
            while not done.is_set():  # a signal just before a thread begins to wait is overslept
                os.kill(os.getpid(), signal.SIGINT)
                done.wait(5)
        threading.Thread(target=late).start()
        """,
    "forks": """
        import atexit, os, sys
        atexit.register(lambda: print("handler", flush=True))
        if os.fork() == 0:
            sys.exit(3)
        print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
        """,
    "forks a child that falls off the end": """
        import os
        pid = os.fork()
        if pid: os.waitpid(pid, 0)
        print("child" if pid == 0 else "parent")
        """,
    "forks a child that fails": """
        import _signal, os, signal
        if os.fork() == 0:
            print(type(_signal.getsignal(signal.SIGTERM)), flush=True)
            1 / 0
        print(os.waitstatus_to_exitcode(os.wait()[1]))
        """,
    "terminates its children": """
        import multiprocessing, os, signal, subprocess, sys, threading
        fork = multiprocessing.get_context("fork")
        workers = []
        threading.Thread(
            target=lambda: workers.append(fork.Process(target=signal.pause)) or workers[0].start()
        ).start()
        while not workers or not workers[0].pid: pass
        workers[0].terminate()
        workers[0].join()
        print(workers[0].exitcode)
        child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
        child.terminate()
        print(child.wait())
        """,
    "handles SIGTERM": """
        import os, signal
        print(repr(signal.getsignal(signal.SIGTERM)))
        print(repr(signal.signal(signal.SIGTERM, lambda number, frame: print("handled", number))))
        os.kill(os.getpid(), signal.SIGTERM)
        print(repr(signal.getsignal(signal.SIGHUP)))
        """,
    "handles SIGINT": """
        import os, signal
        print(repr(signal.signal(signal.SIGINT, lambda number, frame: print("handled", number))))
        os.kill(os.getpid(), signal.SIGINT)
        """,
    "catches its Ctrl-C": """
        import os, signal
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            print("caught")
        """,
}

CRASHED = {
    "raises": "def f(): 1 / 0\nf()",
    "raises after printing": "print('before')\nraise ValueError('x')",
    "raises from another error": """
        try: {}[1]
        except KeyError as error: raise ValueError("second") from error
        """,
    "raises while handling another error": """
        try: {}[1]
        except KeyError: raise ValueError("second")
        """,
    "raises a group": """
        def f(): 1 / 0
        errors = []
        for _ in range(2):
            try: f()
            except ZeroDivisionError as error: errors.append(error)
        raise ExceptionGroup("both", errors)
        """,
    "raises with a note": "e = ValueError(1); e.add_note('see here'); raise e",
    "raises no Exception": "class A(BaseException): pass\nraise A",
    "fails to import": "import no_such_module",
    "fails in an import": "import broken",
    "is interrupted by its own hook": """
        import sys
        def hook(*_): raise SystemExit(5)
        sys.excepthook = hook
        1 / 0
        """,
    "has a hook": """
        import sys, traceback
        def hook(kind, error, entry): print(kind, error, traceback.extract_tb(entry))
        sys.excepthook = hook
        1 / 0
        """,
    "has a hook that fails": """
        import sys
        def hook(*_): return {}[1]
        sys.excepthook = hook
        1 / 0
        """,
    "looks at the last error at exit": """
        import atexit, sys
        atexit.register(lambda: print(repr(sys.last_value), sys.last_traceback.tb_lineno))
        1 / 0
        """,
    "is no Python": "x = (1,\nprint 'a'",
    "is badly indented": "if True:\nx = 1",
    "mixes tabs and spaces": "if True:\n        x = 1\n\ty = 2",
    "does not end its string": "x = '''abc",
    "returns outside of a function": "print(1)\nreturn",
    "fails with threads and handlers": """
        import atexit, threading
        atexit.register(print, "handler")
        threading.Thread(target=lambda: (threading.main_thread().join(), print("late"))).start()
        1 / 0
        """,
}

# With the number of the signal.
DYING = {
    "raises KeyboardInterrupt": ("raise KeyboardInterrupt", 2),
    "is interrupted": ("import os, signal; os.kill(os.getpid(), signal.SIGINT)", 2),
    "is interrupted with an open file": (
        "open_file = open('log.txt', 'w'); open_file.write('kept'); raise KeyboardInterrupt",
        2,
    ),
    "is terminated": ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", 15),
    "is terminated while it waits": (
        """
        import os, signal, threading
        def kill():
            while True:
                os.kill(os.getpid(), signal.SIGTERM)
                threading.Event().wait(5)
        threading.Thread(target=kill).start()
        threading.Event().wait()
        """,
        15,
    ),
    "is terminated while its thread works": (
        """
        import os, signal, threading
        def late():
            threading.main_thread().join()
            while True:
                os.kill(os.getpid(), signal.SIGTERM)
                threading.Event().wait(5)
        threading.Thread(target=late).start()
        """,
        15,
    ),
    "loses its terminal": ("import os, signal; os.kill(os.getpid(), signal.SIGHUP)", 1),
}

POOL = """
import multiprocessing, sys

class Item:
    def __init__(self, x): self.x = x

def square(item): return Item(item.x**2)

if __name__ == "__main__":
    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
        print([item.x for item in pool.map(square, [Item(1), Item(2), Item(3)])])
"""

HOOK = """
call = eval("lambda f: f()", {"__name__": "babysit.instrument.hooks"})
theirs = eval("lambda f: f()", {"__name__": "babysitter"})
def fail(): raise ValueError("user's")
def caught():
    try: call(fail)
    except ValueError as error: return error
"""
