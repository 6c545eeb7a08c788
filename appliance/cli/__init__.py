"""The command line: parse arguments, read the environment, call one function. The only place that prints or exits."""
