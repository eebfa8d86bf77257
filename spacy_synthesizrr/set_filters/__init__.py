"""Set filters: what judges the finished set of rows, once it is whole."""
