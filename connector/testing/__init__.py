"""What plugin authors, the demo and our own tests need: contract suites, memory doubles, simulators."""
