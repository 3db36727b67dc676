# Two functions that have to do the same under every shell.

# The words of a line, turned around.
turn() {
    turned=
    for word in "$@"; do
        turned="$word${turned:+ $turned}"
    done
    printf '%s\n' "$turned"
}

# The lines of a file that come more than once.
twice() {
    sort "$1" | uniq -d
}
