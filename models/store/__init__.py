"""The store: the models of this machine, their files, names, versions and adapters, and what keeps them whole."""
