#!/bin/sh
# Stands in for what keeps the shared parts of the shell scripts alike.
echo "looked at: $*"
