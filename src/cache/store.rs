//! Contents by their fingerprint, and files brought back from them.
//!
//! A blob is named by what it holds and is looked through before it is used, so one that is damaged or was never
//! finished is the same as none, and none has to be synced. What is brought back is written beside its place and
//! renamed, through directories that are opened one by one and never through a link: no path leads out of the
//! directory that it is against.

use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, symlinkat, unlinkat};
use serde::{Deserialize, Serialize};

use crate::cache::digest::Digest;
use crate::cache::files::{self, named};
use crate::cache::memo::Memo;

/// A file that a task made, or a directory that is an output by itself and has nothing in it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Made {
    /// Where, against the directory that nothing leaves; bytes, since a path is.
    path: Vec<u8>,
    /// What.
    what: What,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
enum What {
    /// Bytes, with the permissions.
    File { digest: Digest, size: u64, mode: u32 },
    /// A symbolic link to this.
    Link(Vec<u8>),
    /// A directory.
    Directory,
}

impl Made {
    /// What is there now.
    ///
    /// # Errors
    /// It is not there, is neither a file nor a link nor a directory, or cannot be read.
    pub fn now(base: &Path, path: &Path, memo: &Memo) -> io::Result<Self> {
        let place = base.join(path);
        let meta = place.symlink_metadata()?;
        let what = if meta.is_symlink() {
            What::Link(std::fs::read_link(&place)?.into_os_string().into_vec())
        } else if meta.is_file() {
            let digest = memo.digest(&place, &meta)?;
            What::File { digest, size: meta.len(), mode: meta.permissions().mode() & 0o777 }
        } else if meta.is_dir() {
            What::Directory
        } else {
            return Err(io::Error::other("it is neither a file nor a link nor a directory"));
        };
        Ok(Self { path: path.as_os_str().as_bytes().to_vec(), what })
    }

    /// Where it is, against its directory.
    pub fn path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.path))
    }

    /// Whether it is still there, just as it was made.
    pub fn is_intact(&self, base: &Path, memo: &Memo) -> bool {
        Self::now(base, self.path(), memo).is_ok_and(|now| now == *self)
    }

    /// All of it, for fingerprints.
    pub fn digest(&self) -> Digest {
        Digest::of(&postcard::to_stdvec(self).unwrap_or_default())
    }

    /// Whether it is a directory, which several may make.
    pub(super) fn is_directory(&self) -> bool {
        matches!(self.what, What::Directory)
    }

    fn blob(&self) -> Option<Digest> {
        match &self.what {
            What::File { digest, .. } => Some(*digest),
            What::Link(_) | What::Directory => None,
        }
    }
}

/// The blobs of a project.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
}

impl Store {
    /// In that directory, which need not be there yet.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    fn place(&self, digest: &Digest) -> PathBuf {
        let name = digest.to_string();
        self.dir.join(&name[..2]).join(&name[2..])
    }

    /// Keeps the bytes of a file that was made.
    ///
    /// # Errors
    /// They cannot be read or written, or are not what they were.
    pub fn keep(&self, base: &Path, made: &Made) -> Result<(), String> {
        let Some(digest) = made.blob() else { return Ok(()) };
        if self.place(&digest).metadata().is_ok_and(|meta| meta.is_file()) {
            return Ok(());
        }
        let place = base.join(made.path());
        let file = File::open(&place).map_err(|why| named("read", &place, &why))?;
        match self.put(file)? {
            kept if kept == digest => Ok(()),
            _ => Err(format!("`{}` changed while it was kept", made.path().display())),
        }
    }

    /// Keeps all that can be read from a file.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn put(&self, mut from: impl io::Read) -> Result<Digest, String> {
        let failed = |why: io::Error| named("write to", &self.dir, &why);
        std::fs::create_dir_all(&self.dir).map_err(failed)?;
        let mut beside = files::beside(&self.dir).map_err(failed)?;
        // Where the file system can, the two share their bytes from here on.
        io::copy(&mut from, beside.as_file_mut()).map_err(failed)?;
        crate::base::fault::point("blob-written");
        let (digest, _) = Digest::read(File::open(beside.path()).map_err(failed)?).map_err(failed)?;
        let place = self.place(&digest);
        let dir = place.parent().unwrap_or(&self.dir);
        std::fs::create_dir_all(dir).map_err(failed)?;
        beside.as_file().set_permissions(Permissions::from_mode(0o444)).map_err(failed)?;
        beside.persist(&place).map_err(|why| failed(why.error))?;
        Ok(digest)
    }

    /// Opens a blob, after having looked through it.
    ///
    /// # Errors
    /// It is not there, or not what its name says; then it is removed.
    pub fn open(&self, digest: &Digest) -> io::Result<File> {
        self.check(digest)?;
        self.open_checked(digest)
    }

    /// Opens a blob that was looked through a moment ago.
    ///
    /// # Errors
    /// It is not there any more.
    pub fn open_checked(&self, digest: &Digest) -> io::Result<File> {
        File::open(self.place(digest))
    }

    /// Whether a blob is there and what its name says, as far as it was not looked through before and left alone since.
    pub fn has(&self, digest: &Digest, memo: &Memo) -> bool {
        let place = self.place(digest);
        let found = place.metadata().and_then(|meta| memo.digest(&place, &meta));
        match found {
            Ok(found) if found != *digest => self.check(digest).is_ok(),
            found => found.is_ok(),
        }
    }

    /// Looks through a blob.
    ///
    /// # Errors
    /// It is not there, or not what its name says; then it is removed.
    pub fn check(&self, digest: &Digest) -> io::Result<()> {
        let place = self.place(digest);
        let (found, _) = Digest::read(File::open(&place)?)?;
        if found != *digest {
            std::fs::remove_file(&place)?;
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is damaged"));
        }
        Ok(())
    }

    /// Removes those blobs that are not what they should be, or they would never be kept again.
    pub fn weed(&self, made: &[Made]) {
        for digest in blobs(made) {
            let _ = self.check(&digest); // Which removes it.
        }
    }

    /// Whether all of them could be brought back, as far as can be told without reading.
    pub fn has_all(&self, made: &[Made]) -> bool {
        made.iter().all(|made| match &made.what {
            What::Link(_) | What::Directory => true,
            What::File { digest, size, .. } => self.place(digest).metadata().is_ok_and(|meta| meta.len() == *size),
        })
    }

    /// Brings a file back to its place below `base`.
    ///
    /// # Errors
    /// It cannot be read or written, or its way leads through something that is no directory.
    pub fn restore(&self, base: &Path, made: &Made) -> io::Result<()> {
        let (dir, name) = open_parent(base, made.path())?;
        // A name that nobody else uses at this moment: several are brought back at once, into one directory.
        let own = Digest::of(&made.path).to_string();
        let beside = format!(".xec-{}-{}{}", std::process::id(), &own[..16], files::UNFINISHED);
        // Left by one that was killed and had the same number.
        let _ = unlinkat(&dir, &*beside, UnlinkatFlags::NoRemoveDir);
        let written = match &made.what {
            What::Link(target) => symlinkat(OsStr::from_bytes(target), &dir, &*beside).map_err(io::Error::from),
            What::File { digest, mode, .. } => self.write(digest, *mode, &dir, &beside),
            // Made at once, and in nobody's place.
            What::Directory => return Ok(mkdirat(dir.as_fd(), name, Mode::from_bits_truncate(0o777))?),
        };
        crate::base::fault::point("restore-written");
        let moved = written.and_then(|()| renameat(&dir, &*beside, &dir, name).map_err(io::Error::from));
        if moved.is_err() {
            let _ = unlinkat(&dir, &*beside, UnlinkatFlags::NoRemoveDir);
        }
        moved
    }

    /// Takes away a file, and the directories that have nothing in them without it, up to `base`.
    ///
    /// # Errors
    /// It cannot be removed, or its way leads through something that is no directory.
    pub fn remove(base: &Path, made: &Made) -> io::Result<()> {
        let (dir, name) = open_parent(base, made.path())?;
        let flag = if made.what == What::Directory { UnlinkatFlags::RemoveDir } else { UnlinkatFlags::NoRemoveDir };
        unlinkat(&dir, name, flag)?;
        let around = made.path().ancestors().skip(1).filter(|around| !around.as_os_str().is_empty());
        for around in around {
            let (dir, name) = open_parent(base, around)?;
            // Something is in it.
            if unlinkat(&dir, name, UnlinkatFlags::RemoveDir).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn write(&self, digest: &Digest, mode: u32, dir: &OwnedFd, name: &str) -> io::Result<()> {
        let mut blob = self.open(digest)?;
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mut file = File::from(openat(dir, name, flags, Mode::S_IRUSR | Mode::S_IWUSR)?);
        io::copy(&mut blob, &mut file)?;
        file.set_permissions(Permissions::from_mode(mode & 0o777))
    }

    /// Every blob, with its size.
    pub fn all(&self) -> Vec<(Digest, u64, PathBuf)> {
        let mut all = Vec::new();
        for dir in std::fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            for blob in std::fs::read_dir(dir.path()).into_iter().flatten().flatten() {
                let name = [dir.file_name(), blob.file_name()].map(|part| part.to_string_lossy().into_owned()).concat();
                if let (Some(digest), Ok(meta)) = (Digest::parse(&name), blob.metadata()) {
                    all.push((digest, meta.len(), blob.path()));
                }
            }
        }
        all
    }
}

/// The blobs that some files need.
pub fn blobs(made: &[Made]) -> impl Iterator<Item = Digest> + '_ {
    made.iter().filter_map(Made::blob)
}

/// The directory that a path lies in, opened one component after the other, made where it is missing.
fn open_parent<'p>(base: &Path, path: &'p Path) -> io::Result<(OwnedFd, &'p OsStr)> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut dir: OwnedFd = File::open(base)?.into();
    let out = || io::Error::new(io::ErrorKind::InvalidInput, "its path leads out of the project");
    let mut names = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => names.push(name),
            _ => return Err(out()),
        }
    }
    let name = names.pop().ok_or_else(out)?;
    for part in names {
        let open = || openat(&dir, part, flags | OFlag::O_NOFOLLOW, Mode::empty());
        let next = match open() {
            Err(Errno::ENOENT) => {
                match mkdirat(dir.as_fd(), part, Mode::from_bits_truncate(0o777)) {
                    Ok(()) | Err(Errno::EEXIST) => {}
                    Err(why) => return Err(why.into()),
                }
                open()
            }
            other => other,
        };
        dir = next.map_err(|why| match why {
            Errno::ELOOP | Errno::ENOTDIR => {
                io::Error::new(io::ErrorKind::NotADirectory, "its way leads through something that is no directory")
            }
            why => why.into(),
        })?;
    }
    Ok((dir, name))
}
