//! Locks that all runs of a user on a machine share, and that die with their holder: `flock` on a file for each
//! unit of a limit. Knows no tasks, and never waits.
//!
//! The files stand in one directory that is the same for every process of the user, whatever its environment: a
//! lock that a login session and a cron job look for at two places is none. They stay there when they are free,
//! since taking away a file that another one has just opened would make two locks of one.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::unistd::Uid;

/// What is held: closing the files gives it back, and so does the end of the process, however it comes.
#[derive(Debug)]
pub struct Held {
    _files: Vec<File>,
}

/// So much of one limit of the machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part<'p> {
    /// Its name.
    pub name: &'p str,
    /// How much there is.
    pub of: u32,
    /// How much is wanted.
    pub count: u32,
}

/// The directory of the locks.
#[derive(Debug)]
pub struct Locks {
    dir: PathBuf,
}

impl Locks {
    /// Those of this user.
    pub fn of_user() -> Self {
        Self::at(format!("/tmp/xec-{}", Uid::current()))
    }

    /// Those of a directory, which is made when it is first used.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// Takes all of these, or nothing if one of them is held by others. Never waits.
    ///
    /// # Errors
    /// The directory or a file in it cannot be made, or belongs to somebody else.
    pub fn try_take(&self, parts: &[Part<'_>]) -> io::Result<Option<Held>> {
        self.make_dir()?;
        let mut files = Vec::new();
        for part in parts {
            let before = files.len();
            for unit in 0..part.of {
                if files.len() - before == part.count as usize {
                    break;
                }
                files.extend(self.unit(part.name, unit)?);
            }
            if files.len() - before < part.count as usize {
                return Ok(None);
            }
        }
        Ok(Some(Held { _files: files }))
    }

    fn unit(&self, name: &str, unit: u32) -> io::Result<Option<File>> {
        let path = self.dir.join(format!("{name}.{unit}"));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        let file = options.open(&path)?;
        match file.try_lock() {
            // Somebody who tidies up may have taken the file away meanwhile.
            Ok(()) if is_at(&file, &path) => Ok(Some(file)),
            Ok(()) | Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(why)) => Err(why),
        }
    }

    fn make_dir(&self) -> io::Result<()> {
        match DirBuilder::new().mode(0o700).create(&self.dir) {
            Err(why) if why.kind() != io::ErrorKind::AlreadyExists => return Err(why),
            _ => {}
        }
        let found = self.dir.symlink_metadata()?;
        if !found.is_dir() || found.uid() != Uid::current().as_raw() {
            return Err(io::Error::other("it is there, and not a directory of this user"));
        }
        Ok(())
    }

    /// Where they are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    let place = |found: std::fs::Metadata| (found.dev(), found.ino());
    file.metadata().map(place).ok().is_some_and(|here| path.symlink_metadata().map(place).ok() == Some(here))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, of: u32, count: u32) -> Part<'_> {
        Part { name, of, count }
    }

    #[test]
    fn all_or_nothing_and_free_again() {
        let dir = tempfile::tempdir().unwrap();
        let locks = Locks { dir: dir.path().join("locks") };
        let first = locks.try_take(&[part("a", 2, 1), part("b", 1, 1)]).unwrap().expect("free");
        assert!(locks.try_take(&[part("a", 2, 2)]).unwrap().is_none(), "one of the two is held");
        let second = locks.try_take(&[part("a", 2, 1)]).unwrap().expect("the other one");
        assert!(locks.try_take(&[part("c", 1, 1), part("b", 1, 1)]).unwrap().is_none());
        let third = locks.try_take(&[part("c", 1, 1)]).unwrap().expect("nothing was kept of what was not whole");
        drop((first, second, third));
        assert!(locks.try_take(&[part("a", 2, 2), part("b", 1, 1), part("c", 1, 1)]).unwrap().is_some());
    }

    #[test]
    fn what_is_no_directory_of_ours_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(Locks { dir: file }.try_take(&[part("a", 1, 1)]).is_err());
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path(), &link).unwrap();
        assert!(Locks { dir: link }.try_take(&[part("a", 1, 1)]).is_err());
    }
}
