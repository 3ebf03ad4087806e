"""AZURE: blocks in Azure Blob Storage."""
