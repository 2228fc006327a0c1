"""Devices that models run on: GPUs, edge boards, machines without a GPU."""
