"""Platform `files`: the legacy ERP, WMS, 3PL or marketplace report that only exports files into a folder."""

from invbi_pipeline.channels.files.channel import FACTS, FilesChannel

__all__ = ["FACTS", "FilesChannel"]
