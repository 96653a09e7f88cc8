"""What people pass in, made into checked arrays and numbers."""
