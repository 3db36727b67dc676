. ./words.sh
printf 'b\na\nb\n' > "$SCRATCH/lines"
test "$(twice "$SCRATCH/lines")" = "b"
test "$(twice /dev/null)" = ""
