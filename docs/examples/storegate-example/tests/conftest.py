pytest_plugins = ["storegate.testing.fixtures"]
