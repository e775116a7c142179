"""What leads fill in, one module for each page. What a value may be is decided by the services."""
