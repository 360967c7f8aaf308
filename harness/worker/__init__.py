"""What runs in the client's own process: the contract, its protocol, the three ways to serve it.

The client under test may live in an environment that has its library and nothing else, on an older
Python. So this room needs the standard library alone, imports nothing of ours but ``errors``, and
keeps to the syntax of Python 3.8.
"""
