"""Putting compiled workflows into an AWS account, and looking at what runs there.

`package` puts together what a workflow needs; `deployment` brings an account to it, and
`terraform` writes it down. `executions` and `messages` are about what runs afterwards.
"""
