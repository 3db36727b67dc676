//! One lock for each task of a project, so that two xecs never run the same one at once. It is the kernel's: a
//! holder that dies, however it dies, holds it no longer. Nobody waits here; who finds it taken asks again.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

/// Held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Who has it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Holder {
    /// The number of its process, as it said.
    pub pid: String,
    /// The name of its run, as it said.
    pub run: String,
}

/// The answer.
#[derive(Debug)]
pub enum Taken {
    /// It is ours.
    Ours(Lock),
    /// Another one has it.
    Theirs(Holder),
}

/// Takes the lock of this file, for the run of that name, or says who has it.
///
/// # Errors
/// The file cannot be made or locked.
pub fn take(path: &Path, run: &str) -> io::Result<Taken> {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    match file.try_lock() {
        Ok(()) => {
            // What it says is for people, and for a nested xec; the lock holds without it, on a full disk too.
            let _ = file.set_len(0).and_then(|()| writeln!(file, "{} {run}", std::process::id()));
            Ok(Taken::Ours(Lock { _file: file }))
        }
        Err(TryLockError::WouldBlock) => {
            let mut said = String::new();
            let _ = file.read_to_string(&mut said); // Not said yet: then nobody knows who it is.
            let (pid, run) = said.trim().split_once(' ').unwrap_or_default();
            Ok(Taken::Theirs(Holder { pid: pid.to_owned(), run: run.to_owned() }))
        }
        Err(TryLockError::Error(why)) => Err(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_held_until_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let Taken::Ours(first) = take(&path, "run-1").unwrap() else { panic!("it is free") };
        let Taken::Theirs(holder) = take(&path, "run-2").unwrap() else { panic!("it is held") };
        assert_eq!((holder.pid, &*holder.run), (std::process::id().to_string(), "run-1"));
        drop(first);
        assert!(matches!(take(&path, "run-2").unwrap(), Taken::Ours(_)));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn it_holds_where_nothing_can_be_said() {
        assert!(matches!(take(Path::new("/dev/full"), "run-1").unwrap(), Taken::Ours(_)));
    }
}
