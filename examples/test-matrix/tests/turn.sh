. ./words.sh
test "$(turn one two three)" = "three two one"
test "$(turn 'a b' '*')" = "* a b"
test "$(turn)" = ""
