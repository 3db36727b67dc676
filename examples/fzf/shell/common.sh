# stands in for what the shell scripts share
