"""Dashboards: pages for the shop floor and the office. They only read, through `storage`."""
