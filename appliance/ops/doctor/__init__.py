"""The doctor: facts are gathered at the edge, and each check is a pure function of them.

`gather` reads the machine and the state folder, `diagnose` judges, `repairs` mends what is safe to mend.
"""
