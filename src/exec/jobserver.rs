//! The pool of slots that xec shares with the make, cargo and ninja that it starts: GNU make's jobserver, which is a
//! pipe with a byte for each slot that is free. Who begins one more job takes a byte, and puts it back in the end;
//! the first job of each process is the slot that it was started in. Knows no tasks.
//!
//! The pipe has a name, since ninja opens it by that; the others are handed a descriptor, which make before 4.4
//! insists on. A process that dies with bytes in its hands takes them along, and nobody can tell how many: so when
//! the last of these processes has ended, the bytes are counted, and if some are missing (or someone who was left
//! behind may still put some back) there is a new pipe from then on.
//!
//! Where xec itself was started by a make with a jobserver, it is a client of that, and hands it on.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::sys::stat::Mode;
use tempfile::TempDir;

/// The number that the descriptor has in a process that gets it.
pub const DESCRIPTOR: u32 = 3;

/// The most slots that are shared: a pipe holds 64 KiB.
pub const MOST: u32 = 32 * 1024;

/// How a program takes part.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Client {
    /// By a descriptor: make, cargo, another xec.
    Descriptor,
    /// By the name of the pipe: ninja.
    Name,
}

impl Client {
    /// What the text of a command names, if it is one of these.
    pub fn named_in(text: &str) -> Option<Self> {
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '+');
        let mut found = None;
        for word in text.split(|c: char| !is_word(c)) {
            match word {
                "make" | "gmake" | "cargo" | "xec" => return Some(Client::Descriptor),
                "ninja" => found = Some(Client::Name),
                _ => {}
            }
        }
        found
    }
}

/// What a process is given.
#[derive(Clone, Debug)]
pub struct Share {
    /// The pipe, as [`DESCRIPTOR`].
    pub descriptor: Arc<OwnedFd>,
    /// `MAKEFLAGS` for it.
    pub flags: String,
}

/// The pool.
#[derive(Debug)]
pub struct Pool {
    path: PathBuf,
    /// Never blocks.
    pipe: File,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// So many slots, in a pipe of ours, the so-manyth of this run.
    Own { dir: TempDir, slots: u32, number: u32 },
    /// Somebody else's: the slot that we were started in is free, and these bytes are to be put back.
    Given { own_free: bool, taken: Vec<u8> },
}

impl Pool {
    /// So many slots, all free.
    ///
    /// # Errors
    /// There can be no named pipe.
    pub fn new(slots: u32) -> io::Result<Self> {
        let dir = tempfile::Builder::new().prefix("xec-jobs-").tempdir()?;
        let (path, pipe) = make(dir.path(), 0, slots)?;
        Ok(Self { path, pipe, kind: Kind::Own { dir, slots, number: 0 } })
    }

    /// The one that these flags of make name, if it is there.
    pub fn given(flags: &str) -> Option<Self> {
        let auth = words(flags).filter_map(auth).last()?;
        let path = match auth.strip_prefix("fifo:") {
            Some(path) => PathBuf::from(path),
            None => {
                let (read, write) = auth.split_once(',')?;
                let (read, write) = (read.parse::<i32>().ok()?, write.parse::<i32>().ok()?);
                let inherited = |number| number > 2 && !crate::exec::inherited::is_closed(number);
                // One opening for both ways, and not that of everybody else, which is not ours to make non-blocking.
                (inherited(read) && inherited(write))
                    .then(|| PathBuf::from(format!("/proc/{}/fd/{read}", std::process::id())))?
            }
        };
        let pipe = open(&path).ok()?;
        Some(Self { path, pipe, kind: Kind::Given { own_free: true, taken: Vec::new() } })
    }

    /// Takes so many slots, all or none, without waiting.
    pub fn take(&mut self, count: u32) -> bool {
        let wanted = match &mut self.kind {
            Kind::Given { own_free, .. } if *own_free && count > 0 => {
                *own_free = false;
                count as usize - 1
            }
            _ => count as usize,
        };
        let mut bytes = vec![0; wanted];
        let mut have = 0;
        while have < wanted {
            match self.pipe.read(&mut bytes[have..]) {
                Ok(0) => break,
                Ok(more) => have += more,
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        bytes.truncate(have);
        let all = have == wanted;
        match &mut self.kind {
            Kind::Given { taken, .. } => {
                taken.extend(bytes);
                if !all {
                    self.give((have + (count as usize - wanted)) as u32);
                }
            }
            Kind::Own { .. } if !all => self.put(&bytes),
            Kind::Own { .. } => {}
        }
        all
    }

    /// Gives so many back.
    pub fn give(&mut self, count: u32) {
        let bytes = match &mut self.kind {
            Kind::Own { .. } => vec![b'+'; count as usize],
            Kind::Given { own_free, taken } => {
                // What is ours is given back last: the bytes are somebody else's.
                let bytes = taken.split_off(taken.len().saturating_sub(count as usize));
                *own_free |= bytes.len() < count as usize;
                bytes
            }
        };
        self.put(&bytes);
    }

    fn put(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.pipe.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                // Full: somebody has put in what was never taken, and there are slots enough.
                Err(_) => return,
            }
        }
    }

    /// No other process takes part any more: now so many slots must be free, and are from here on.
    pub fn mend(&mut self, free: u32) {
        let Kind::Own { dir, number, .. } = &mut self.kind else { return };
        let mut bytes = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = self.pipe.read(&mut buffer) {
            bytes.extend_from_slice(&buffer[..count]);
        }
        if bytes.len() == free as usize {
            return self.put(&bytes);
        }
        *number += 1;
        match make(dir.path(), *number, free) {
            Ok((path, pipe)) => (self.path, self.pipe) = (path, pipe),
            // The old one will do, with what must be in it.
            Err(_) => self.put(&vec![b'+'; free as usize]),
        }
    }

    /// What a process is given to take part; `before` is the `MAKEFLAGS` that it would have.
    ///
    /// # Errors
    /// The pipe cannot be opened once more.
    pub fn share(&self, client: Client, before: &str) -> io::Result<Share> {
        let descriptor = OpenOptions::new().read(true).write(true).open(&self.path)?;
        let auth = match client {
            Client::Descriptor => format!("{DESCRIPTOR},{DESCRIPTOR}"),
            Client::Name => format!("fifo:{}", self.path.display()),
        };
        let kept: Vec<&str> = words(before).filter(|word| auth_or_jobs(word).is_none()).collect();
        let jobs = match &self.kind {
            Kind::Own { slots, .. } => format!("-j{slots}"),
            Kind::Given { .. } => "-j".to_owned(),
        };
        // What has no dash is a bunch of letters, which stands first.
        let flags = format!("{} {jobs} --jobserver-auth={auth}", kept.join(" "));
        Ok(Share { descriptor: Arc::new(descriptor.into()), flags })
    }
}

/// How many slots the flags of make speak of; `None` where they do not say.
pub fn slots(flags: &str) -> Option<u32> {
    words(flags).filter_map(|word| word.strip_prefix("-j")?.parse().ok()).last()
}

fn make(dir: &Path, number: u32, free: u32) -> io::Result<(PathBuf, File)> {
    let path = dir.join(format!("pool{number}"));
    nix::unistd::mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR)?;
    let mut pipe = open(&path)?;
    pipe.write_all(&vec![b'+'; free as usize])?;
    Ok((path, pipe))
}

/// For both ways, so that it neither waits for another end nor ever comes to one.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(path)
}

/// The flags themselves; what follows ` -- ` are variables.
fn words(flags: &str) -> impl Iterator<Item = &str> {
    flags.split(' ').take_while(|word| *word != "--").filter(|word| !word.is_empty())
}

fn auth(word: &str) -> Option<&str> {
    word.strip_prefix("--jobserver-auth=").or_else(|| word.strip_prefix("--jobserver-fds="))
}

fn auth_or_jobs(word: &str) -> Option<&str> {
    auth(word).or_else(|| word.strip_prefix("-j"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_taken_whole_and_given_back() {
        let mut pool = Pool::new(3).unwrap();
        assert!(pool.take(2) && !pool.take(2) && pool.take(1) && !pool.take(1));
        pool.give(3);
        assert!(pool.take(3));
    }

    #[test]
    fn what_died_with_slots_is_made_up_for() {
        let mut pool = Pool::new(4).unwrap();
        assert!(pool.take(1), "one of our own runs");
        let share = pool.share(Client::Descriptor, "").unwrap();
        let mut client = File::from(share.descriptor.try_clone().unwrap());
        client.read_exact(&mut [0; 2]).unwrap();
        assert!(!pool.take(2));
        pool.mend(3);
        client.write_all(b"++").unwrap();
        assert!(pool.take(3) && !pool.take(1), "what comes late goes nowhere");
        pool.give(4);
        pool.mend(4);
        assert!(pool.take(4) && !pool.take(1));
    }

    #[test]
    fn who_takes_part_is_named_as_a_word() {
        let named = Client::named_in;
        assert_eq!(named("cd src && make -C a all"), Some(Client::Descriptor));
        assert_eq!(named("/usr/bin/gmake"), Some(Client::Descriptor));
        assert_eq!(named("ninja -C out"), Some(Client::Name));
        assert_eq!(named("ninja && cargo build"), Some(Client::Descriptor), "make and cargo cannot do without");
        assert_eq!(named("cmake -B out; ./make-dist makefile; python ninja.py"), None);
    }

    #[test]
    fn flags_keep_what_else_they_say() {
        let pool = Pool::new(8).unwrap();
        let flags = |client, before| pool.share(client, before).unwrap().flags;
        assert_eq!(flags(Client::Descriptor, ""), " -j8 --jobserver-auth=3,3");
        let before = "ks -j2 --jobserver-auth=5,6 --no-print-directory -- V=1";
        assert_eq!(flags(Client::Descriptor, before), "ks --no-print-directory -j8 --jobserver-auth=3,3");
        assert!(flags(Client::Name, "").contains(" --jobserver-auth=fifo:/"));
        assert_eq!((slots("k -j7 --jobserver-auth=3,4"), slots(" -j --jobserver-auth=3,4")), (Some(7), None));
    }

    #[test]
    fn a_given_pool_has_the_slot_we_were_started_in() {
        let outer = Pool::new(2).unwrap();
        let flags = outer.share(Client::Name, "").unwrap().flags;
        let mut inner = Pool::given(&flags).unwrap();
        assert!(inner.take(2), "our own, and one of two bytes");
        assert!(!inner.take(2) && inner.take(1) && !inner.take(1));
        inner.give(3);
        assert!(inner.take(3) && !inner.take(1), "nothing was lost");
        assert!(Pool::given("k -j4").is_none() && Pool::given("--jobserver-auth=77,78").is_none());
        assert!(Pool::given("--jobserver-auth=fifo:/nowhere").is_none());
    }
}
