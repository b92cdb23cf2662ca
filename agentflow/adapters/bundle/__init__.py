"""Bundles: the functions of a project as one zip that a cloud can run.

What is in a bundle is found by reading source, never by importing it: the project's own packages
(`sources`), this package's function kit (`kit`) and the project's dependencies for the platform
(`dependencies`). The same project gives the same bytes (`archive`). Nothing is imported here,
because a bundle carries this folder's `helper`.

Compiled modules are left out. A folder that is read-only would profit: importing the kit takes
about 50 ms less. But only a Python of the cloud's own version could make them, which the one that
builds need not be, and what it makes differs from release to release, so the same project would
give other bytes elsewhere. The kit is kept small instead, and imports late what few calls need.
"""
