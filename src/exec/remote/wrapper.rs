//! What runs on a host around every command: a constant text for its login shell, and the script that it is
//! sent. Pure; knows nothing of how the two get there.
//!
//! The wrapper says `ready`, reads a line that says how to go about it and one that is the script, and runs that in a
//! session of its own. All else that comes is a lease: a [`record`] names a signal for the process group, and the end
//! of it means that xec or the link is gone, whereupon the group is ended: SIGTERM, the grace, SIGKILL. A link can also
//! be gone without an end, and neither side would hear of it for hours: so a silence of as many seconds as the first
//! line said, or the last `BEAT`, is an end, too, where the host has a `timeout`, until the command is told to stop; 0 is
//! for where there is no link.
//! Markers on stderr (`ready`, also
//! on stdout, `start` and `exit`), each with the nonce of the run, tell xec what is known; see
//! [`crate::exec::remote::markers`]. What the wrapper ended by itself says `lost` instead of `exit`: that end is no
//! answer of the command's, and somebody may yet hear it, since a lease can end without its stderr. The script reaches the shell by its stdin, so that nothing of it shows in `ps`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};

use crate::base::command::{CommandSpec, NotStarted, Stdin};
use crate::base::name::is_variable_name;
use crate::exec::remote::feed::Feed;
use crate::exec::words;

/// The exit code of a script that could not enter its directory.
pub(crate) const NO_DIRECTORY: i32 = 253;
/// The exit code of a wrapper that did not get a whole script.
pub(crate) const NO_SCRIPT: i32 = 254;
/// A line up to here is read by the shell itself, byte by byte; a longer one by `head`, which is a process more.
const SHORT_LINE: usize = 4 * 1024;

// Both are between single quotes of a login shell which may be tcsh or fish: so no newline, no ' and no \, and a blank after each !.
// What is exported from here would reach the command: so all names begin with xec_.

/// Reads the script from the lease and becomes the command. It is the leader of the group, which it says on descriptor
/// 3, with who waits for it; only then does anybody else read the lease.
const INNER: &str = concat!(
    r#"exec 2>&6 6>&-; if [ "$2" = 0 ]; then read -r xec_s || exit 254; "#,
    r#"else xec_s=$(head -c "$2"); [ "${#xec_s}" = "$2" ] || exit 254; fi; "#,
    r#"exec </dev/null; echo $$ $PPID >&3; exec 3>&-; eval "$xec_s""#,
);

/// Descriptors: 4 and 6 are the stdout and stderr of the command, 5 is the lease. 6 is not moved to 2 here, where
/// the shell itself would say in it that the command was killed. The left side of the pipe is the command, in the foreground, since a shell makes what is in its background ignore SIGINT; the right side
/// holds the lease for as long as the left side lives. Before it ends the group of its own accord it says so to the
/// left side by a signal, which that has got before it can see the command end, and which no full pipe holds up.
/// After a KILL that xec ordered, the end of the lease is no news. A `timeout` that does not work is done without.
const OUTER: &str = concat!(
    r#"exec 4>&1 5<&0 6>&2 </dev/null >/dev/null 2>&1; "#,
    r#"command -v setsid || setsid() { perl -e "setpgrp; exec @ARGV" "$@"; }; "#,
    r#"xec_end() { kill -TERM -$xec_p || return; kill -CONT -$xec_p; xec_i=0; "#,
    r#"while [ $xec_i -lt $xec_g ] && kill -0 -$xec_p; do sleep 0.1; xec_i=$((xec_i+1)); done; kill -KILL -$xec_p; }; "#,
    r#"echo "xec-$2 ready" >&4; echo "xec-$2 ready" >&6; "#,
    r#"read -r xec_g xec_t xec_l <&5 || exit 254; "#,
    r#"{ xec_e=exit; trap "xec_e=lost" USR1; "#,
    r#"setsid sh -c "$1" xec "$2" "$xec_l" <&5 >&4 4>&- 5<&-; echo "xec-$2 $xec_e $?" >&6; } 3>&1 | "#,
    r#"{ exec 4>&- 6>&-; read -r xec_p xec_w || exit; "#,
    r#"( trap "" HUP INT TERM; "#,
    r#"while if [ $xec_t -gt 0 ]; then xec_x=$(timeout -s KILL $xec_t head -c 8 <&5); "#,
    r#"case $? in 0) [ -n "$xec_x" ] ;; 124|137) false ;; *) xec_t=0; read -r xec_x <&5 ;; esac; "#,
    r#"else read -r xec_x <&5; fi; do case "$xec_x" in "#,
    r#"BEAT*) xec_t=${xec_x#BEAT} ;; "#,
    r#"*) kill -$xec_x -$xec_p; case "$xec_x" in STOP*) xec_t=0 ;; KILL*) xec_w= ;; esac ;; "#,
    r#"esac; done; [ -z "$xec_w" ] || kill -USR1 $xec_w; xec_end ) & xec_k=$! ; "#,
    r#"exec 5<&-; read -r xec_x; kill -KILL $xec_k; wait $xec_k; xec_end; }"#,
);

/// The one word that a login shell is given: the same for every command of a run. All of it runs as `user`, where
/// that is said, so that whatever is started can be ended.
pub(crate) fn command(nonce: &str, user: Option<&str>) -> String {
    format!("exec {}sh -c '{OUTER}' xec '{INNER}' {nonce}", sudo(user))
}

/// What a login shell is given to end a group that has lost its wrapper.
pub(crate) fn burial(group: i32, grace: Duration, user: Option<&str>) -> String {
    let tenths = grace.as_millis().div_ceil(100);
    format!(
        "exec {}sh -c 'kill -TERM -{group} || exit 0; kill -CONT -{group}; xec_i=0; \
         while [ $xec_i -lt {tenths} ] && kill -0 -{group}; do sleep 0.1; xec_i=$((xec_i+1)); done; \
         kill -KILL -{group}'",
        sudo(user)
    )
}

/// The name has been checked, so quotes are enough.
pub(crate) fn sudo(user: Option<&str>) -> String {
    user.map(|user| format!("sudo -n -u '{user}' -- ")).unwrap_or_default()
}

/// A word of the lease: always eight bytes, so that a program can read one and no more.
pub(crate) fn record(word: &str) -> Vec<u8> {
    format!("{word:<7.7}\n").into_bytes()
}

/// What answers `ready`: how long a silence may be and how long the end may take, and the script.
pub(crate) fn answer(script: &[u8], grace: Duration, silence: u64) -> Vec<u8> {
    let tenths = grace.as_millis().div_ceil(100).max(1);
    let line = line(script);
    let (length, end) = if line.len() <= SHORT_LINE { (0, "\n") } else { (line.len(), "") };
    [format!("{tenths} {silence} {length}\n").as_bytes(), &line, end.as_bytes()].concat()
}

/// A script as a line of letters that no shell and no locale takes for anything else.
fn line(script: &[u8]) -> Vec<u8> {
    // What ends no line, and is no sign that a shell keeps for itself.
    let plain = |byte: &u8| *byte == b'\t' || (0x0e..=b'~').contains(byte);
    if script.iter().all(plain) {
        return script.to_vec();
    }
    let mut line = b"eval \"$(printf %b '".to_vec();
    for byte in script {
        match byte {
            b'\\' => line.extend(br"\\"),
            b'\'' => line.extend(br"\0047"),
            byte if plain(byte) => line.push(*byte),
            byte => line.extend(format!("\\0{byte:03o}").bytes()),
        }
    }
    line.extend(b"')\"");
    line
}

/// The script: the environment, the directory, and the command, which takes the place of the shell. What it reads may
/// come through the pipe of a [`Feed`].
pub(crate) fn script(spec: &CommandSpec, feed: Option<&Feed>) -> Result<Vec<u8>, NotStarted> {
    let mut script = Vec::new();
    for (name, value) in &spec.env {
        exportable(name)?;
        export(&mut script, name, value.as_deref())?;
    }
    if !spec.cwd.as_os_str().is_empty() {
        script.extend(b"CDPATH= cd -- ");
        quote(&mut script, spec.cwd.as_os_str())?;
        script.extend(format!(" || exit {NO_DIRECTORY}; ").bytes());
    }
    script.extend(feed.map(Feed::before).unwrap_or_default().bytes());
    script.extend(b"echo \"xec-$1 start $$\" >&2; ");
    script.extend(feed.map_or("", |_| Feed::AFTER).bytes());
    if let Stdin::Bytes(bytes) = &spec.stdin {
        // In base64, since a shell's words hold no NUL.
        script.extend(format!("printf %s {} 2>/dev/null | base64 -d 2>/dev/null | ", base64(bytes)).bytes());
    }
    script.extend(b"exec");
    for word in words::words(&spec.program) {
        script.push(b' ');
        quote(&mut script, word)?;
    }
    Ok(script)
}

/// Refuses a name that no shell can export.
pub(crate) fn exportable(name: &OsStr) -> Result<(), NotStarted> {
    if name.to_str().is_some_and(is_variable_name) {
        return Ok(());
    }
    Err(NotStarted::Failed(format!("`{}` is no name that a shell can export", name.to_string_lossy())))
}

/// The words that give a variable its value for all that a script starts, or takes it away.
pub(crate) fn export(script: &mut Vec<u8>, name: &OsStr, value: Option<&OsStr>) -> Result<(), NotStarted> {
    script.extend(if value.is_some() { &b"export "[..] } else { b"unset " });
    script.extend(name.as_bytes());
    if let Some(value) = value {
        script.push(b'=');
        quote(script, value)?;
    }
    script.extend(b"; ");
    Ok(())
}

/// One word for any Bourne shell, whatever its bytes.
pub(crate) fn quote(script: &mut Vec<u8>, word: &OsStr) -> Result<(), NotStarted> {
    script.extend(quoted(words::whole(word)?));
    Ok(())
}

/// One word for any Bourne shell, of bytes without a NUL.
pub(crate) fn quoted(bytes: &[u8]) -> Vec<u8> {
    let mut word = vec![b'\''];
    for (at, piece) in bytes.split(|byte| *byte == b'\'').enumerate() {
        if at > 0 {
            word.extend(br"'\''");
        }
        word.extend(piece);
    }
    word.push(b'\'');
    word
}

fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use std::ffi::{OsStr, OsString};
    use std::io::{BufRead, BufReader, Read, Write};
    use std::os::unix::ffi::OsStringExt;
    use std::process::{Child, ChildStdin, Command, Stdio};
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::base::command::Program;

    fn spec(env: Vec<(OsString, Option<OsString>)>, words: &[OsString]) -> CommandSpec {
        CommandSpec { env, ..CommandSpec::new(Program::Words(words.to_vec()), "/", Duration::from_secs(1)) }
    }

    /// What the script makes of it under this shell, with the marker on stderr dropped.
    fn evaluated(shell: &str, script: &[u8]) -> Vec<u8> {
        let output = Command::new(shell).arg("-c").arg(OsStr::from_bytes(script)).output().unwrap();
        assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// A wrapper under this shell that has been given this answer.
    fn wrapped(shell: &str, answer: &[u8]) -> (Child, ChildStdin) {
        wrapped_on(&std::env::var_os("PATH").unwrap(), shell, answer)
    }

    /// The same, where programs are found on this path.
    fn wrapped_on(path: &OsStr, shell: &str, answer: &[u8]) -> (Child, ChildStdin) {
        let command = command("abc", None).replacen("exec sh", &format!("exec {shell}"), 1);
        let mut child = Command::new(shell)
            .args(["-c", &command])
            .env("PATH", path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(answer).unwrap();
        (child, stdin)
    }

    /// What the command writes that a wrapper under this shell is given.
    fn answered(shell: &str, script: &[u8]) -> Vec<u8> {
        let (mut child, lease) = wrapped(shell, &answer(script, Duration::from_secs(1), 60));
        let (mut out, mut err) = (Vec::new(), String::new());
        child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert!(err.contains("xec-abc exit 0\n"), "{shell}: {err}");
        drop(lease);
        child.wait().unwrap();
        out.strip_prefix(b"xec-abc ready\n").unwrap().to_vec()
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(1..=255u8, 0..40)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn any_bytes_arrive_as_they_are(value in bytes(), word in bytes(), pad in 0..2 * SHORT_LINE) {
            let pad = ("XEC_PAD".into(), Some("x".repeat(pad).into()));
            let env = vec![("XEC_PROBE".into(), Some(OsString::from_vec(value.clone()))), pad];
            let print = "printf '%s|' \"$1\"; printenv XEC_PROBE";
            let words = ["sh".into(), "-c".into(), print.into(), "sh".into(), OsString::from_vec(word.clone())];
            let script = script(&spec(env, &words), None).unwrap();
            for shell in ["dash", "bash"] {
                let mut expected = [&word[..], b"|", &value[..]].concat();
                expected.push(b'\n');
                prop_assert_eq!(&evaluated(shell, &script), &expected, "{}", shell);
                prop_assert_eq!(&evaluated(shell, &line(&script)), &expected, "{}", shell);
                prop_assert_eq!(answered(shell, &script), expected, "{}", shell);
            }
        }

        #[test]
        fn base64_is_what_others_read(value in proptest::collection::vec(any::<u8>(), 0..70)) {
            let line = format!("printf %s '{}' | base64 -d", base64(&value));
            prop_assert_eq!(evaluated("sh", line.as_bytes()), value);
        }
    }

    #[test]
    fn the_text_survives_every_login_shell() {
        let burial = burial(42, Duration::from_secs(1), Some("root"));
        assert_eq!(burial.matches('\'').count(), 4, "{burial}");
        for text in [OUTER, INNER, &burial] {
            assert!(text == burial || !text.contains('\''), "{text}");
            assert!(!text.contains(['\\', '\n']), "{text}");
            // For tcsh, history; but not before a blank.
            assert!(text.split('!').skip(1).all(|after| after.starts_with(' ')), "{text}");
        }
    }

    /// What the wrapper says under this shell once its script has said that it is up, and these words have come, and
    /// then either nothing or the end of the lease, while its stderr is still heard.
    fn last_said(shell: &str, text: &str, words: &[&str], silent: bool) -> String {
        last_said_on(&std::env::var_os("PATH").unwrap(), shell, text, words, silent)
    }

    fn last_said_on(path: &OsStr, shell: &str, text: &str, words: &[&str], silent: bool) -> String {
        let mut script_spec = spec(Vec::new(), &[]);
        let sh: Arc<[OsString]> = Arc::new(["sh".into(), "-c".into()]);
        script_spec.program = Program::Script { shell: sh, text: text.into(), args: Vec::new() };
        let silence = if silent { 1 } else { 60 };
        let script = script(&script_spec, None).unwrap();
        let (mut child, mut lease) = wrapped_on(path, shell, &answer(&script, Duration::from_millis(200), silence));
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.ends_with("up\n") {
            assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "{line}");
        }
        for word in words {
            lease.write_all(&record(word)).unwrap();
        }
        let lease = silent.then_some(lease);
        let mut said = String::new();
        stderr.read_to_string(&mut said).unwrap();
        drop(lease);
        child.wait().unwrap();
        said
    }

    #[test]
    fn what_the_wrapper_ends_is_no_end_of_the_command() {
        for shell in ["dash", "bash"] {
            for text in
                ["echo up >&2; exec sleep 1000", "trap 'exit 0' TERM; echo up >&2; while :; do sleep 0.01; done"]
            {
                let said = last_said(shell, text, &[], false);
                assert!(said.contains("xec-abc lost ") && !said.contains(" exit "), "{shell}: {said}");
                let said = last_said(shell, text, &["BEAT1"], true);
                assert!(said.contains("xec-abc lost ") && !said.contains(" exit "), "{shell}: {said}");
                // What xec ordered, it hears of.
                let said = last_said(shell, text, &["KILL"], false);
                assert_eq!(said, "xec-abc exit 137\n", "{shell}");
            }
        }
    }

    #[test]
    fn a_silence_is_an_end_by_any_timeout() {
        // That of the BSDs says 124 whatever the signal was.
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = std::env::var_os("PATH").unwrap();
        let whole = std::env::split_paths(&path).map(|dir| dir.join("timeout")).find(|file| file.is_file()).unwrap();
        let bsd =
            format!("#!/bin/sh\n{} \"$@\"\ncode=$?\n[ $code -ne 137 ] || exit 124\nexit $code\n", whole.display());
        std::fs::write(dir.path().join("timeout"), bsd).unwrap();
        std::fs::set_permissions(dir.path().join("timeout"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let path =
            std::env::join_paths([dir.path().to_owned()].into_iter().chain(std::env::split_paths(&path))).unwrap();
        for shell in ["dash", "bash"] {
            let said = last_said_on(&path, shell, "echo up >&2; exec sleep 1000", &["BEAT1"], true);
            assert!(said.contains("xec-abc lost ") && !said.contains(" exit "), "{shell}: {said}");
        }
    }

    #[test]
    fn what_no_shell_can_hold_is_refused() {
        let words = ["true".into()];
        let nul = vec![("A".into(), Some(OsString::from("a\0b")))];
        assert!(matches!(script(&spec(nul, &words), None), Err(NotStarted::Failed(_))));
        let name = vec![("A-B".into(), Some("x".into()))];
        assert!(matches!(script(&spec(name, &words), None), Err(NotStarted::Failed(_))));
        let removed = script(&spec(vec![("HOME".into(), None)], &words), None).unwrap();
        assert!(removed.starts_with(b"unset HOME; "));
    }

    #[test]
    fn a_script_goes_through_its_shell() {
        let mut with_shell = spec(Vec::new(), &[]);
        let shell: Arc<[OsString]> = Arc::new(["sh".into(), "-eu".into(), "-c".into()]);
        with_shell.program = Program::Script { shell, text: "echo \"$0 $1\"".into(), args: vec!["it's".into()] };
        assert_eq!(evaluated("dash", &script(&with_shell, None).unwrap()), b"sh it's\n");
    }

    #[test]
    fn long_lines_say_how_long_they_are() {
        let said = answer(&[b'x'; 5000], Duration::from_millis(250), 20);
        assert!(said.starts_with(b"3 20 5000\nxxx") && said.ends_with(b"xx"));
        assert_eq!(answer(b"x y", Duration::ZERO, 2), b"1 2 0\nx y\n");
    }

    #[test]
    fn half_a_script_is_none() {
        let long = [b'x'; 5000];
        for script in [b"echo half; echo".as_slice(), &long] {
            let whole = answer(script, Duration::ZERO, 60);
            let (mut child, lease) = wrapped("sh", &whole[..whole.len() - 1]);
            drop(lease);
            let mut said = String::new();
            child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            child.wait().unwrap();
            assert_eq!(said, format!("xec-abc ready\nxec-abc exit {NO_SCRIPT}\n"));
        }
    }
}
