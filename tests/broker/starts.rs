//! What is started, and what is not.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use futures_less::join_all;
use xec::base::command::{NotStarted, Outcome, Program, Stdin};
use xec::exec::local::LocalTarget;

use crate::Case;
use crate::support::{End, mark, run, script, script_with, sleepers, spec, start, until, words, world};

pub(crate) const CASES: &[Case] = &[
    ("codes_and_signals", codes_and_signals),
    ("what_cannot_start", what_cannot_start),
    ("files_without_a_magic_number", files_without_a_magic_number),
    ("the_shell_or_not", the_shell_or_not),
    ("environment_and_directory", environment_and_directory),
    ("a_task_has_three_descriptors", a_task_has_three_descriptors),
    ("two_thousand", two_thousand),
    ("a_megabyte_and_a_half_of_words", a_megabyte_and_a_half_of_words),
    ("dropping_a_running_job_ends_nothing", dropping_a_running_job_ends_nothing),
];

/// Waits for all of them, side by side.
mod futures_less {
    use std::pin::Pin;
    use std::task::Poll;

    pub(crate) async fn join_all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
        let mut running: Vec<Pin<Box<F>>> = futures.into_iter().map(Box::pin).collect();
        let mut outputs: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
        std::future::poll_fn(|cx| {
            for (future, output) in running.iter_mut().zip(&mut outputs).filter(|(_, output)| output.is_none()) {
                if let Poll::Ready(ready) = future.as_mut().poll(cx) {
                    *output = Some(ready);
                }
            }
            if outputs.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        outputs.into_iter().flatten().collect()
    }
}

fn codes_and_signals() {
    world(|world| async move {
        for (text, outcome) in [
            ("true", Outcome::Exited(0)),
            ("false", Outcome::Exited(1)),
            ("exit 7", Outcome::Exited(7)),
            ("kill -9 $$", Outcome::Signalled(9)),
            ("kill -TERM $$", Outcome::Signalled(15)),
            ("kill -PIPE $$", Outcome::Signalled(13)),
        ] {
            let end = run(&world.here, script(text)).await.unwrap();
            assert_eq!(end.finished.outcome, outcome, "{text}");
            let usage = end.finished.usage.unwrap();
            assert!(usage.peak_memory > 100_000, "{usage:?}");
        }
        let busy = run(&world.here, script("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done")).await.unwrap();
        assert!(!busy.finished.usage.unwrap().user.is_zero());
    });
}

fn what_cannot_start() {
    world(|world| async move {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("data"), "x").unwrap();
        fs::write(dir.path().join("orphan"), "#!/no/such/interpreter\n").unwrap();
        fs::set_permissions(dir.path().join("orphan"), fs::Permissions::from_mode(0o755)).unwrap();
        let here = |words: [&str; 1]| {
            let mut spec = self::words(words);
            spec.cwd = dir.path().into();
            spec
        };
        let missing = |text: &str| Some(NotStarted::Missing(text.to_owned()));
        let refused = async |spec| run(&world.here, spec).await.err();
        assert_eq!(refused(here(["no-such-program"])).await, missing("`no-such-program`: not found"));
        assert_eq!(refused(here(["./nothing"])).await, missing("`./nothing`: not found"));
        assert_eq!(refused(here(["data/nothing"])).await, missing("`data/nothing`: not found"));
        assert_eq!(refused(here(["./orphan"])).await, missing("`./orphan`: its interpreter is not there"));
        assert_eq!(refused(here([""])).await, missing("the name of the program is empty"));
        assert_eq!(refused(script("no-such-program x")).await, missing("`no-such-program`: not found"));
        let denied = refused(here(["./data"])).await;
        assert_eq!(denied, Some(NotStarted::Denied("`./data`: permission denied".to_owned())));
        assert_eq!(refused(here(["/tmp"])).await, Some(NotStarted::Denied("`/tmp`: is a directory".to_owned())));
        for (cwd, why) in [("gone", "not found"), ("data", "not a directory")] {
            let mut spec = words(["true"]);
            spec.cwd = dir.path().join(cwd);
            let text = format!("the directory `{}`: {why}", spec.cwd.display());
            assert_eq!(refused(spec).await, Some(NotStarted::Failed(text)));
        }
        assert!(matches!(refused(words(["echo", "a\0b"])).await, Some(NotStarted::Failed(_))));
        let mut odd = words(["true"]);
        odd.env = vec![("A=B".into(), Some("c".into()))];
        assert!(matches!(refused(odd).await, Some(NotStarted::Failed(_))));
        // As a shell has it, too.
        let shell = run(&world.here, script("no-such-program; :")).await.unwrap();
        assert_eq!(shell.code(), 127);
    });
}

fn files_without_a_magic_number() {
    world(|world| async move {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("tool");
        fs::write(&file, "echo \"$0 $1 $2\"").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        let end = run(&world.here, words([file.to_str().unwrap(), "a b", "c"])).await.unwrap();
        assert_eq!(end.out(), format!("{} a b c\n", file.display()));
    });
}

fn the_shell_or_not() {
    world(|world| async move {
        // Who is the parent tells whether a shell stood between.
        let plain = run(&world.here, script("cat /proc/self/stat")).await.unwrap();
        let parent = |end: &End| end.out().rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().to_owned();
        assert_eq!(parent(&plain), world.broker.pid().to_string());
        let shell = run(&world.here, script("cat /proc/self/stat; :")).await.unwrap();
        assert_ne!(parent(&shell), world.broker.pid().to_string());
        let named =
            run(&world.here, script_with("echo \"$0: $#\"; printf '<%s>' \"$@\"", &["a b", "", "'"])).await.unwrap();
        assert_eq!(named.out(), "sh: 3\n<a b><><'>");
        let nameless = run(&world.here, script("echo \"$0: $#\"")).await.unwrap();
        assert_eq!(nameless.out(), "sh: 0\n");
        // A function in the environment is found before any program, so the shell has to look.
        let mut function = script("cat /proc/self/stat");
        function.env = vec![("BASH_FUNC_cat%%".into(), Some("() { echo 1; }".into()))];
        let function = run(&world.here, function).await.unwrap();
        assert!(function.out() == "1\n" || parent(&function) != world.broker.pid().to_string());
        // No `-e`, no unset variable gets past.
        assert_ne!(run(&world.here, script("false; true")).await.unwrap().code(), 0);
        assert_ne!(run(&world.here, script("echo $no_such_value")).await.unwrap().code(), 0);
    });
}

fn environment_and_directory() {
    world(|world| async move {
        let mut changed = words(["env"]);
        let set = |name: &str, value: &str| (OsString::from(name), Some(OsString::from(value)));
        changed.env =
            vec![set("XEC_A", "1"), set("XEC_B", "x=y"), set("XEC_A", "2"), ("HOME".into(), None), set("XEC_C", "")];
        changed.cwd = "/tmp".into();
        let end = run(&world.here, changed).await.unwrap();
        let lines: Vec<&str> = end.out().lines().collect();
        for line in ["XEC_A=2", "XEC_B=x=y", "XEC_C=", "PWD=/tmp"] {
            assert_eq!(lines.iter().filter(|other| **other == line).count(), 1, "{line} in {lines:?}");
        }
        assert!(!lines.iter().any(|line| line.starts_with("HOME=") || *line == "XEC_A=1"));
        assert!(lines.contains(&&*format!("PATH={}", std::env::var("PATH").unwrap())));
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("only-here"), "#!/bin/sh\necho found; pwd").unwrap();
        fs::set_permissions(dir.path().join("only-here"), fs::Permissions::from_mode(0o755)).unwrap();
        let mut on_path = words(["only-here"]);
        on_path.env = vec![("PATH".into(), Some(format!("{}:/bin", dir.path().display()).into()))];
        on_path.cwd = "/usr".into();
        assert_eq!(run(&world.here, on_path).await.unwrap().out(), "found\n/usr\n");
    });
}

fn a_task_has_three_descriptors() {
    world(|world| async move {
        let _open = fs::File::open("/dev/null").unwrap();
        let mut list = words(["ls", "/proc/self/fd"]);
        list.stdin = Stdin::Bytes(b"x".as_slice().into());
        let end = run(&world.here, list).await.unwrap();
        assert_eq!(end.out(), "0\n1\n2\n3\n"); // The last is the directory it reads.
    });
}

fn two_thousand() {
    async fn chain(here: &LocalTarget) {
        for _ in 0..50 {
            assert_eq!(run(here, words(["true"])).await.unwrap().code(), 0);
        }
    }
    world(|world| async move {
        join_all((0..40).map(|_| chain(&world.here))).await;
        assert_eq!(world.link.sweep(&[]).await, Vec::<String>::new());
    });
}

fn a_megabyte_and_a_half_of_words() {
    world(|world| async move {
        let big: OsString = "x".repeat(120_000).into();
        let mut program: Vec<OsString> =
            ["sh", "-c", "echo $# ${#1} $XEC_LAST; env | wc -c", "sh"].map(OsString::from).into();
        program.extend((0..8).map(|_| big.clone()));
        let mut huge = spec(Program::Words(program));
        huge.env = (0..4).map(|at| (format!("XEC_BIG_{at}").into(), Some(big.clone()))).collect();
        huge.env.push(("XEC_LAST".into(), Some("end".into())));
        let ends = join_all((0..6).map(|_| run(&world.here, huge.clone()))).await;
        for end in ends {
            let end = end.unwrap();
            let (first, size) = end.out().split_once('\n').unwrap();
            assert_eq!(first, "8 120000 end");
            assert!(size.trim().parse::<usize>().unwrap() > 480_000);
        }
        let mut over = huge;
        over.env.push(("XEC_OVER".into(), Some("x".repeat(200_000).into())));
        assert!(matches!(run(&world.here, over).await, Err(NotStarted::Failed(_))));
    });
}

fn dropping_a_running_job_ends_nothing() {
    world(|world| async move {
        let dir = tempfile::tempdir().unwrap();
        let mark = mark();
        let mut writer = script(&format!("sleep {mark} & echo one; echo two; echo done > file; wait"));
        writer.cwd = dir.path().into();
        let job = start(&world.here, writer).await.unwrap();
        drop(job.running);
        until(|| fs::read_to_string(dir.path().join("file")).is_ok_and(|text| text == "done\n")).await;
        // The shell goes on before its child has become what it is to be.
        until(|| sleepers(&mark) == 1).await;
    });
}
