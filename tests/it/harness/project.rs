//! A directory in which xec is called again and again, while its files change between the calls.

use std::path::{Path, PathBuf};

use crate::harness::live::Live;
use crate::harness::{Case, Ran};

/// A project of its own.
pub struct Project {
    here: PathBuf,
    /// What a call of xec gets besides the usual environment.
    env: Vec<(&'static str, &'static str)>,
    _dir: tempfile::TempDir,
}

impl Project {
    /// An empty one, with this Xecfile.
    pub fn new(xecfile: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let here = dir.path().join("project");
        std::fs::create_dir(&here).expect("make a directory");
        let project = Self { here, env: Vec::new(), _dir: dir };
        project.write("Xecfile.kdl", xecfile);
        project
    }

    /// A copy of an example.
    pub fn example(name: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let here = dir.path().join(name);
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name), &here);
        Self { here, env: Vec::new(), _dir: dir }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.here
    }

    /// The same project with one more variable.
    pub fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.env.push((name, value));
        self
    }

    /// A call in it, still to be changed. The programs in its `standin/`, where it has some, are found before those
    /// of the system.
    pub fn case(&self, words: &[&str]) -> Case {
        let system = std::env::var_os("PATH").unwrap_or_default();
        let own = Some(self.here.join("standin")).filter(|dir| dir.is_dir());
        let dirs = own.into_iter().chain(std::env::split_paths(&system));
        let case = Case::new().env("PATH", std::env::join_paths(dirs).expect("no colon in a path"));
        let case = self.env.iter().fold(case, |case, (name, value)| case.env(name, value));
        case.args(["-C", self.here.to_str().expect("a path in UTF-8")]).args(words)
    }

    /// A call in it, to its end.
    pub fn xec(&self, words: &[&str]) -> Ran {
        self.case(words).run()
    }

    /// A call in it that goes on.
    pub fn start(&self, words: &[&str]) -> Live {
        self.case(words).spawn()
    }

    /// What a file holds.
    #[track_caller]
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.here.join(name)).unwrap_or_else(|why| panic!("{name}: {why}"))
    }

    /// What the programs in `standin/` were called with since the last time.
    #[track_caller]
    pub fn calls(&self) -> Vec<String> {
        let calls = self.read("calls.txt").lines().map(str::to_owned).collect();
        self.remove("calls.txt");
        calls
    }

    /// Writes a file, with the directories that it needs.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.here.join(name);
        std::fs::create_dir_all(path.parent().expect("a name in the project")).expect("make directories");
        std::fs::write(path, text).expect("write a file of the project");
    }

    /// Writes a program.
    #[track_caller]
    pub fn program(&self, name: &str, text: &str) {
        self.write(name, text);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(self.here.join(name), mode).expect("may be executed");
    }

    /// Removes a file, or a directory with all that is in it.
    pub fn remove(&self, name: &str) {
        let path = self.here.join(name);
        let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        removed.unwrap_or_else(|why| panic!("{name}: {why}"));
    }

    /// Whether there is a file, a directory or a link.
    pub fn has(&self, name: &str) -> bool {
        self.here.join(name).symlink_metadata().is_ok()
    }

    /// What a link says.
    pub fn link(&self, name: &str) -> Option<String> {
        std::fs::read_link(self.here.join(name)).ok().map(|to| to.to_string_lossy().into_owned())
    }

    /// Sets when a file was last changed, so that nothing hangs on how fine the clock of the file system is.
    pub fn age(&self, name: &str, seconds_from_now: i64) {
        let now = std::time::SystemTime::now();
        let by = std::time::Duration::from_secs(seconds_from_now.unsigned_abs());
        let when = if seconds_from_now < 0 { now - by } else { now + by };
        let file = std::fs::OpenOptions::new().write(true).open(self.here.join(name)).expect("a file of the project");
        file.set_modified(when).expect("set a time");
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("make a directory");
    for entry in std::fs::read_dir(from).expect("read a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        match entry.file_type().expect("a type").is_dir() {
            true => copy(&entry.path(), &target),
            false => std::fs::copy(entry.path(), target).map(drop).expect("copy a file"),
        }
    }
}

/// The tasks of which a step was started, in the words of the report.
pub fn started(ran: &Ran) -> Vec<String> {
    let story = ran.err();
    let heads = story.lines().filter_map(|line| line.strip_prefix("▸ ")?.split_once(": "));
    let mut names: Vec<String> = heads.map(|(name, _)| name.to_owned()).collect();
    names.sort();
    names.dedup();
    names
}
