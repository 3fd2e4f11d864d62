"""Pages for the shop floor and the office: read only, through storage.reader."""
