"""All experiments, a class a module. See :mod:`babysit.experiment` for the contract."""
