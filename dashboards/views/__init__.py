"""The pages, one file each; dashboards.routes lists them."""
