"""Put first on PYTHONPATH: writes a digest of a training, bit by bit, when the process ends.

The digest covers the weights, gradients' owners and optimizer state after every optimizer step,
and the random states of torch, NumPy and Python at the end. It works the same whether the
program is watched or not, and knows nothing of who watches.
"""

import atexit
import hashlib
import importlib.abc
import importlib.util
import json
import os
import random
import sys

OUTPUT = os.environ.get("DIGEST_OUTPUT")
_OWNER = os.getpid()
_rolling = hashlib.sha256()
_steps = 0


def _bytes(tensor):
    import torch

    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""


def _after_step(optimizer, args, kwargs):
    import torch

    global _steps
    _steps += 1
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            _rolling.update(_bytes(parameter))
            state = optimizer.state.get(parameter, {})
            for key in sorted(state, key=str):
                if isinstance(state[key], torch.Tensor):
                    _rolling.update(_bytes(state[key]))


def _watch_torch():
    from torch.optim.optimizer import register_optimizer_step_post_hook

    register_optimizer_step_post_hook(_after_step)


def _seed_numpy():
    sys.modules["numpy"].random.seed(0)


class _After(importlib.abc.MetaPathFinder):
    def __init__(self, name, callback):
        self.name, self.callback = name, callback

    def find_spec(self, name, path, target=None):
        if name != self.name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            self.callback()

        spec.loader.exec_module = exec_module
        return spec


def _write():
    if os.getpid() != _OWNER:
        return
    digest = {"steps": _steps, "weights": _rolling.hexdigest(), "random": repr(random.getstate())}
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        digest["torch"] = hashlib.sha256(torch.get_rng_state().numpy().tobytes()).hexdigest()
        digest["grad_mode"] = torch.is_grad_enabled()
        digest["anomaly"] = torch.is_anomaly_enabled()
    if "numpy" in sys.modules:
        digest["numpy"] = repr(sys.modules["numpy"].random.get_state())
    digest["random"] = hashlib.sha256(digest["random"].encode()).hexdigest()
    with open(OUTPUT, "w") as file:
        json.dump(digest, file)


# Children of the program (loader workers, spawned processes) keep out of it.
if OUTPUT and os.environ.get("DIGEST_TAKEN") is None:
    os.environ["DIGEST_TAKEN"] = "1"
    atexit.register(_write)
    random.seed(0)  # scripts that do not seed start from the same state in every process
    sys.meta_path[:0] = [_After("torch", _watch_torch), _After("numpy", _seed_numpy)]
