"""Hosts: what runs functions where there is no engine; a cloud's function service, or HTTP here.

`calls` is the same for all of them, and the same as on workers: validation, context, named errors.
"""
