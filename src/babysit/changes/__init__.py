"""All changes, by what they take hold of. See :mod:`babysit.change` for the contract."""
