//! One lock for each task of a project, so that two xecs never run the same one at once. It is the kernel's: a
//! holder that dies, however it dies, holds it no longer.
//!
//! Its file is there only while somebody holds it: who gives it back takes the file away first. Whoever has opened that
//! file meanwhile finds another one, or none, in its place, and begins anew.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::base::fault;
use crate::cache::files::is_at;

/// Held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    _file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        fault::point("before-unlock");
        // Without a lock on it nobody may take it away: what is left here is taken away by who holds it next.
        let _ = std::fs::remove_file(&self.path);
        fault::point("after-unlock");
    }
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

/// Takes the lock of this file, for the run of that name, or says who has it. Never waits.
///
/// # Errors
/// The file cannot be made or locked.
pub fn take(path: &Path, run: &str) -> io::Result<Taken> {
    loop {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) if !is_at(&file, path)? => {}
            Ok(()) => {
                fault::point("locked");
                // What it says is for people, and for a nested xec; the lock holds without it, on a full disk too.
                let _ = file.set_len(0).and_then(|()| writeln!(file, "{} {run}", std::process::id()));
                return Ok(Taken::Ours(Lock { path: path.to_owned(), _file: file }));
            }
            Err(TryLockError::WouldBlock) => {
                let mut said = String::new();
                let _ = file.read_to_string(&mut said); // Not said yet: then nobody knows who it is.
                let (pid, run) = said.trim().split_once(' ').unwrap_or_default();
                return Ok(Taken::Theirs(Holder { pid: pid.to_owned(), run: run.to_owned() }));
            }
            Err(TryLockError::Error(why)) => return Err(why),
        }
    }
}

/// Waits until nobody holds the lock of this file. Somebody may at once take it again.
///
/// # Errors
/// The file cannot be opened or locked.
pub fn wait(path: &Path) -> io::Result<()> {
    match File::open(path) {
        Ok(file) => file.lock_shared(),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(why) => Err(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_held_until_it_is_dropped_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let Taken::Ours(first) = take(&path, "run-1").unwrap() else { panic!("it is free") };
        let Taken::Theirs(holder) = take(&path, "run-2").unwrap() else { panic!("it is held") };
        assert_eq!((holder.pid, &*holder.run), (std::process::id().to_string(), "run-1"));
        drop(first);
        assert!(!path.exists());
        // One who was killed leaves its file, and it is free all the same.
        std::fs::write(&path, "1 run-0").unwrap();
        assert!(matches!(take(&path, "run-2").unwrap(), Taken::Ours(_)));
    }

    #[test]
    fn who_waits_goes_on_when_it_is_free() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        wait(&path).unwrap();
        let Taken::Ours(held) = take(&path, "run-1").unwrap() else { panic!("it is free") };
        let (tell, told) = std::sync::mpsc::channel();
        let waits = std::thread::spawn({
            let path = path.clone();
            move || {
                tell.send(()).unwrap();
                wait(&path).unwrap();
            }
        });
        told.recv().unwrap();
        drop(held);
        waits.join().unwrap();
    }

    /// Many who take it and give it back, file and all: never two at once.
    #[test]
    fn it_is_one_lock_though_its_file_comes_and_goes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let inside = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut had = 0;
                    while had < 200 {
                        match take(&path, "run").unwrap() {
                            Taken::Theirs(_) => wait(&path).unwrap(),
                            Taken::Ours(_held) => {
                                had += 1;
                                assert_eq!(inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                                std::thread::yield_now();
                                inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                            }
                        }
                    }
                });
            }
        });
    }
}
