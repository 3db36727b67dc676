#!/bin/sh
# The program that is released.
echo "app @VERSION@"
