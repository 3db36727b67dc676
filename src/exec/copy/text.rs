//! What runs at the two ends of a copy. Pure.
//!
//! The end that sends says the digest of all that it is going to send, and then that as a tar. The end that receives
//! unpacks it beside its destination, compares the digest with that of what has arrived, and moves it into place. A
//! program named tar is all that both need beside a shell: rsync is missing as often as not and speaks of itself in
//! versions, and sftp knows neither trees nor digests, and is another subsystem that can be switched off.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use base64::prelude::{BASE64_STANDARD, Engine};

use crate::exec::copy::Copy;
use crate::exec::remote::wrapper::{quoted, sudo};

/// `xec_list PATH…` are the digests of all files below, and `xec_digest LIST` is one of all of these, whatever their
/// order; by the first program that is there.
const DIGEST: &str = r#"
xec_sum=
for xec_tool in "sha256sum" "shasum -a 256" "openssl dgst -sha256 -r"; do
    command -v "${xec_tool%% *}" >/dev/null 2>&1 && { xec_sum=$xec_tool; break; }
done
[ -n "$xec_sum" ] || { echo "xec: there is no sha256sum, shasum or openssl" >&2; exit 1; }
xec_list() { find "$@" -type f -exec $xec_sum {} +; }
xec_digest() { printf '%s\n' "$1" | sed 's/ \*/  /' | LC_ALL=C sort | $xec_sum | cut -d' ' -f1; }
"#;

/// `"$@"` are the paths; becomes `-C DIR ./NAME` for each.
const SEND: &str = r#"
[ $# -gt 0 ] || { echo "xec: there is nothing to copy" >&2; exit 1; }
xec_n=$#
while [ $xec_n -gt 0 ]; do
    xec_path=$1
    shift
    [ -e "$xec_path" ] || [ -L "$xec_path" ] || { printf 'xec: %s: not found\n' "$xec_path" >&2; exit 1; }
    case $xec_path in */.|.) xec_name=. xec_dir=$xec_path ;; *)
        xec_name=./$(basename -- "$xec_path")
        xec_dir=$(dirname -- "$xec_path") ;;
    esac
    xec_dir=$(CDPATH= cd -- "$xec_dir" && pwd -P) || exit
    set -- "$@" -C "$xec_dir" "$xec_name"
    xec_n=$((xec_n - 1))
done
xec_all() { while [ $# -gt 0 ]; do (cd "$2" && xec_list "$3") || exit; shift 3; done; }
xec_files=$(xec_all "$@") || exit
printf '\n%s %s\n' "$xec_token" "$(xec_digest "$xec_files")"
export COPYFILE_DISABLE=1
exec tar -cf - "$@"
"#;

/// `xec_to` is the destination, `xec_into` says that it is a directory to put things into.
const RECEIVE: &str = r#"
xec_sent=
while IFS= read -r xec_line; do
    case $xec_line in "$xec_token "*) xec_sent=${xec_line#"$xec_token "}; break ;; esac
done
[ -n "$xec_sent" ] || exit 1
if [ -n "$xec_into" ]; then xec_dir=$xec_to; else xec_dir=$(dirname -- "$xec_to"); fi
case $xec_dir in /*) ;; *) xec_dir=./$xec_dir ;; esac
mkdir -p "$xec_dir" || exit
xec_temp=$(mktemp -d "$xec_dir/.xec-copy.XXXXXX") || exit
trap 'rm -rf "$xec_temp"' EXIT
trap 'exit 1' HUP INT TERM PIPE
tar -xpof - -C "$xec_temp" || exit
[ -z "$xec_mode" ] || find "$xec_temp" -type f -exec chmod "$xec_mode" {} + || exit
xec_files=$(cd "$xec_temp" && xec_list .) || exit
[ "$(xec_digest "$xec_files")" = "$xec_sent" ] || { echo "xec: what arrived is not what was sent, or that changed meanwhile" >&2; exit 1; }
xec_refuse() { printf 'xec: %s: %s\n' "$1" "$2" >&2; exit 1; }
xec_move() {
    if [ -d "$1" ] && [ ! -L "$1" ]; then
        if [ ! -e "$2" ]; then mv -f -- "$1" "$2" || exit; return; fi
        [ -d "$2" ] || xec_refuse "$2" "is no directory"
        (cd "$1" && find . -type d -exec sh -c 'for d; do mkdir -p "$0/$d" || exit; done' "$2" {} +) || exit
        (cd "$1" && find . ! -type d -exec sh -c 'for f; do
            [ ! -d "$0/$f" ] || { printf "xec: %s: is a directory\n" "$0/$f" >&2; exit 1; }
            mv -f -- "$f" "$0/$f" || exit; done' "$2" {} +) || exit
    else
        [ ! -d "$2" ] || xec_refuse "$2" "is a directory"
        mv -f -- "$1" "$2" || exit
    fi
}
xec_count=$(find "$xec_temp" ! -type d -exec sh -c 'for f; do printf x; done' sh {} + | wc -c)
xec_dir=$(cd "$xec_dir" && pwd -P) || exit
set --
for xec_item in "$xec_temp"/* "$xec_temp"/.[!.]* "$xec_temp"/..?*; do
    [ ! -e "$xec_item" ] && [ ! -L "$xec_item" ] || set -- "$@" "$xec_item"
done
[ -n "$xec_into" ] || [ $# -le 1 ] || xec_refuse "$xec_to" "several things cannot become one"
for xec_item; do
    if [ -n "$xec_into" ]; then xec_name=$(basename -- "$xec_item"); else xec_name=$(basename -- "$xec_to"); fi
    xec_move "$xec_item" "$xec_dir/$xec_name"
done
printf '\n%s %s\n' "$xec_token" "$((xec_count))"
"#;

/// What a login shell is given to send.
pub(super) fn send(copy: &Copy, token: &str, user: Option<&str>) -> String {
    let mut script = begin(token);
    script.extend(enter(copy.from_dir.as_os_str()));
    script.extend(b"set --");
    for source in &copy.from {
        script.push(b' ');
        script.extend(if copy.glob { pattern(source.as_os_str()) } else { plain(source.as_os_str()) });
    }
    script.extend([DIGEST, SEND].concat().bytes());
    wrapped(&script, user)
}

/// What a login shell is given to receive.
pub(super) fn receive(copy: &Copy, token: &str, user: Option<&str>) -> String {
    let mut script = begin(token);
    script.extend(enter(copy.to_dir.as_os_str()));
    script.extend(setting("xec_to", copy.to.as_os_str().as_bytes()));
    script.extend(setting("xec_into", if copy.into { b"1" } else { b"" }));
    let mode = copy.mode.map(|mode| format!("{mode:o}")).unwrap_or_default();
    script.extend(setting("xec_mode", mode.as_bytes()));
    script.extend([DIGEST, RECEIVE].concat().bytes());
    wrapped(&script, user)
}

/// For whatever login shell: only base64 between quotes.
fn wrapped(script: &[u8], user: Option<&str>) -> String {
    format!(r#"exec {}sh -c 'eval "$(printf %s {} | base64 -d)"'"#, sudo(user), BASE64_STANDARD.encode(script))
}

/// Says that there is a shell, and that it reads this.
fn begin(token: &str) -> Vec<u8> {
    [&setting("xec_token", token.as_bytes())[..], b"printf '%s ready\\n' \"$xec_token\" >&2\n"].concat()
}

fn enter(dir: &OsStr) -> Vec<u8> {
    if dir.is_empty() {
        return Vec::new();
    }
    [b"CDPATH= cd -- ", &quoted(dir.as_bytes())[..], b" || exit\n"].concat()
}

fn setting(name: &str, value: &[u8]) -> Vec<u8> {
    [name.as_bytes(), b"=", &quoted(value), b"\n"].concat()
}

/// A path as one word; one that begins with a dash is a path all the same.
fn plain(path: &OsStr) -> Vec<u8> {
    let dash = path.as_bytes().starts_with(b"-");
    [if dash { b"./".as_slice() } else { b"" }, &quoted(path.as_bytes())].concat()
}

/// As [`plain`], but for the signs of a glob, which stay as they are.
fn pattern(path: &OsStr) -> Vec<u8> {
    let mut word = Vec::new();
    let mut rest = path.as_bytes();
    if rest.starts_with(b"-") {
        word.extend(b"./");
    }
    while let Some(at) = rest.iter().position(|byte| b"*?[]".contains(byte)) {
        word.extend(quoted(&rest[..at]));
        word.push(rest[at]);
        rest = &rest[at + 1..];
    }
    word.extend(quoted(rest));
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_keep_their_signs_and_nothing_else() {
        let text = |path: &str| String::from_utf8(pattern(OsStr::new(path))).unwrap();
        assert_eq!(text("a b/*.txt"), "'a b/'*'.txt'");
        assert_eq!(text("-x[ab]?"), "./'-x'['ab']''?''");
        assert_eq!(text("it's $(x)"), r"'it'\''s $(x)'");
    }
}
