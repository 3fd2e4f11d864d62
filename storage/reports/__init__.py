"""Shift reports: what stands in them, what was signed off, and how they are written: PDF, Excel, CSV, JSON."""
