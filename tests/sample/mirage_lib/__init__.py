"""A library of the sample book."""
