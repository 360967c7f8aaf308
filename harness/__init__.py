r"""chaos-harness breaks connections on purpose and judges how a pool survives.

How bytes flow from a scenario to a verdict::

    scenario.yaml -> scenario -> runner -+-> client => proxy => origin     (over a fabric)
                                         |        \     |      /
                                         |         v    v     v
                                         |           history
                                         +-> checks -> findings -> report, exit code

Core decides, shells act, checks judge: ``trio``, sockets and clocks live only in ``fabric``,
``proxy``, ``origin``, ``pool``'s shell, ``clients`` and ``runner``'s shell.
"""

__version__ = "0.1.0"
