"""Taking hold of a training, so that changes can alter it; see :mod:`babysit.change`."""
