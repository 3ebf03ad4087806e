"""The messages and services of the StoreAPI, generated from the .proto files beside the modules."""
