package main // stands in for fzf
