"""The running variant: a child process that answers operations over two inherited pipes."""
