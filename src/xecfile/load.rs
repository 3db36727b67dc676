//! Finding and reading the file: the only IO of this floor. No process is started, nothing is written.

use std::fs::{File, FileType};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use crate::base::diagnostic::{Code, Problem};
use crate::base::source::SourceMap;
use crate::xecfile::include::Loading;
use crate::xecfile::model::Xecfile;

/// The name that is looked for.
pub const FILE_NAME: &str = "Xecfile.kdl";

/// What `-f -` reads.
const STDIN: &str = "/dev/stdin";

/// The largest file.
pub const LARGEST: usize = 1 << 20;

/// A file, or why there is none.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// What the file says; there is none if one of the problems is an error.
    pub file: Option<Xecfile>,
    /// Every file that could be read, whatever was in it.
    pub sources: SourceMap,
    /// What is wrong, in the order of the file; warnings too.
    pub problems: Vec<Problem>,
    /// Every file that was looked for, there or not: if one of them changes, the file may say something else.
    pub looked_for: Vec<PathBuf>,
}

impl Loaded {
    pub(super) fn failed(sources: SourceMap, problem: Problem) -> Self {
        Self { sources, problems: vec![problem], ..Self::default() }
    }
}

/// Reads `file`, against `dir`, else the nearest `Xecfile.kdl` in `dir` or above it.
pub fn load(dir: &Path, file: Option<&Path>) -> Loaded {
    match find_and_read(dir, file) {
        Ok(Found { here, shown, path, bytes }) => {
            let shown = shown.strip_prefix(&here).unwrap_or(&shown).to_path_buf();
            let path = std::path::absolute(&path).unwrap_or(path);
            // What is read from a descriptor stands nowhere: it is as if it stood here.
            let root =
                if is_descriptor(&path) { here } else { path.parent().map(Path::to_path_buf).unwrap_or_default() };
            Loading::start(shown, path.clone(), clean(&root), bytes, true)
        }
        Err(problem) => Loaded::failed(SourceMap::default(), *problem),
    }
}

/// A file that was read.
struct Found {
    /// The whole directory that was looked in.
    here: PathBuf,
    /// The file as a user would write it.
    shown: PathBuf,
    /// The whole path.
    path: PathBuf,
    /// What is in it.
    bytes: Vec<u8>,
}

fn find_and_read(dir: &Path, file: Option<&Path>) -> Result<Found, Box<Problem>> {
    must_be_directory(dir)
        .map_err(|why| unreadable(format!("cannot begin in the directory `{}`: {why}", dir.display())))?;
    let here = std::path::absolute(dir).unwrap_or_else(|_| dir.to_path_buf());
    let (shown, path) = match file {
        Some(file) if file.as_os_str() == "-" => (file.to_path_buf(), PathBuf::from(STDIN)),
        Some(file) => (file.to_path_buf(), here.join(file)),
        None => find(&here).ok_or_else(|| not_found(&here))?,
    };
    // Xec's own descriptors may be pipes: a shell makes one of `<(…)`. Any other pipe might never be written to.
    let regular = if file.is_some() && is_descriptor(&path) { Ok(()) } else { must_be_regular(&path) };
    let bytes = regular
        .and_then(|()| read_bytes(&path).map_err(|why| why.to_string()))
        .map_err(|why| unreadable(format!("cannot read {}: {why}", shown.display())))?;
    Ok(Found { here, shown, path, bytes })
}

fn unreadable(message: String) -> Box<Problem> {
    Box::new(Problem::error(Code::FileUnreadable, message))
}

/// Reads a text, or what should be one, as if it were a file in the current directory: no IO at all, so what it
/// includes is not read.
pub fn read(text: impl AsRef<[u8]>) -> Loaded {
    let name = PathBuf::from(FILE_NAME);
    Loading::start(name.clone(), name, PathBuf::new(), text.as_ref().to_vec(), false)
}

/// What has the name, nearest to `here`: as a user would write it from there, and whole. Whatever it is and whether
/// or not it can be read: one that is passed over would leave the tasks of another directory to run.
fn find(here: &Path) -> Option<(PathBuf, PathBuf)> {
    let nothing = |kind| matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory);
    let is_there = |path: &Path| path.symlink_metadata().map_or_else(|why| !nothing(why.kind()), |_| true);
    let paths = here.ancestors().map(|dir| dir.join(FILE_NAME));
    let (above, path) = paths.enumerate().find(|(_, path)| is_there(path))?;
    let mut shown: PathBuf = std::iter::repeat_n("..", above).collect();
    shown.push(FILE_NAME);
    Some((shown, path))
}

/// Else why not, to follow a colon.
fn must_be_directory(dir: &Path) -> Result<(), String> {
    if dir.as_os_str().is_empty() {
        return Err("the name is empty".to_owned());
    }
    match dir.metadata() {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(found) => Err(format!("it is {}", kind(found.file_type()))),
        Err(why) => Err(why.to_string()),
    }
}

/// Whether a path names what xec was given open.
fn is_descriptor(path: &Path) -> bool {
    path == Path::new(STDIN) || path.starts_with("/dev/fd") || path.starts_with("/proc/self/fd")
}

/// Else why not: anything but a file might never end, or never begin.
fn must_be_regular(path: &Path) -> Result<(), String> {
    match path.metadata() {
        Ok(found) if found.is_file() => Ok(()),
        Ok(found) => Err(format!("it is {}, not a file", kind(found.file_type()))),
        Err(why) => Err(match path.read_link() {
            Ok(target) => format!("it is a symbolic link to {}: {why}", target.display()),
            Err(_) => why.to_string(),
        }),
    }
}

fn kind(found: FileType) -> &'static str {
    match found {
        _ if found.is_file() => "a file",
        _ if found.is_dir() => "a directory",
        _ if found.is_fifo() => "a named pipe",
        _ if found.is_socket() => "a socket",
        _ => "a device",
    }
}

fn not_found(here: &Path) -> Box<Problem> {
    let problem = Problem::error(Code::FileUnreadable, format!("no {FILE_NAME} in {} or above it", here.display()));
    let misnamed =
        ["Xecfile", "xecfile", "xecfile.kdl", "XECFILE.kdl"].into_iter().find(|name| here.join(name).is_file());
    Box::new(problem.help(match misnamed {
        Some(name) => format!("there is a file `{name}`: rename it, or use -f {name}"),
        None => format!("a file to begin with: echo 'task hello {{ run \"echo hello\" }}' > {FILE_NAME}\none that is elsewhere: -f FILE, or -C DIRECTORY"),
    }))
}

/// Without `.` and `..`, as far as that can be told from the path alone.
pub(super) fn clean(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir if out.parent().is_some() => {
                out.pop();
            }
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}

/// One byte more than is allowed, at most.
pub(super) fn read_bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
