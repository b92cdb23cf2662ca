"""Bundles: the functions of a project as one zip that a cloud can run.

What is in a bundle is found by reading source, never by importing it: the project's own packages
(`sources`), this package's function kit (`kit`) and the project's dependencies for the platform
(`dependencies`). The same project gives the same bytes (`archive`). Nothing is imported here,
because a bundle carries this folder's `helper`.
"""
