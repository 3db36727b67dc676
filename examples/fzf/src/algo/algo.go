package algo // stands in for the matcher
