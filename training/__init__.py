"""The offline half: from what was collected on Sunday to a model that is better, or is not used.

One job a file, `python -m training.<job> --help` teaches it; what jobs are made of lies in the
folders. docs/training.md tells the whole loop.
"""
