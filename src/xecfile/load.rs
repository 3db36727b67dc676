//! Finding and reading the file: the only IO of this floor. No process is started, nothing is written.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::base::diagnostic::{Code, Problem};
use crate::base::source::SourceMap;
use crate::xecfile::include::Loading;
use crate::xecfile::model::Xecfile;

/// The name that is looked for.
pub const FILE_NAME: &str = "Xecfile.kdl";

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
}

impl Loaded {
    pub(super) fn failed(sources: SourceMap, problem: Problem) -> Self {
        Self { file: None, sources, problems: vec![problem] }
    }
}

/// Reads `file`, against `dir`, else the nearest `Xecfile.kdl` in `dir` or above it.
pub fn load(dir: &Path, file: Option<&Path>) -> Loaded {
    let here = std::path::absolute(dir).unwrap_or_else(|_| dir.to_path_buf());
    let (shown, path) = match file {
        Some(file) => (file.to_path_buf(), here.join(file)),
        None => match find(&here) {
            Some(found) => found,
            None => return Loaded::failed(SourceMap::default(), not_found(&here)),
        },
    };
    let shown = shown.strip_prefix(&here).unwrap_or(&shown).to_path_buf();
    match read_bytes(&path) {
        Ok(bytes) => {
            let path = std::path::absolute(&path).unwrap_or(path);
            let root = path.parent().map(Path::to_path_buf).unwrap_or_default();
            Loading::start(shown, path.clone(), clean(&root), bytes, true)
        }
        Err(why) => {
            let problem = Problem::error(Code::FileUnreadable, format!("cannot read {}: {why}", shown.display()));
            Loaded::failed(SourceMap::default(), problem)
        }
    }
}

/// Reads a text as if it were a file in the current directory: no IO at all, so what it includes is not read.
pub fn read(text: &str) -> Loaded {
    let name = PathBuf::from(FILE_NAME);
    Loading::start(name.clone(), name, PathBuf::new(), text.as_bytes().to_vec(), false)
}

/// The nearest file: as a user would write it from `here`, and whole.
fn find(here: &Path) -> Option<(PathBuf, PathBuf)> {
    let paths = here.ancestors().map(|dir| dir.join(FILE_NAME));
    let (above, path) = paths.enumerate().find(|(_, path)| path.is_file())?;
    let mut shown: PathBuf = std::iter::repeat_n("..", above).collect();
    shown.push(FILE_NAME);
    Some((shown, path))
}

fn not_found(here: &Path) -> Problem {
    let problem = Problem::error(Code::FileUnreadable, format!("no {FILE_NAME} in {} or above it", here.display()));
    let misnamed =
        ["Xecfile", "xecfile", "xecfile.kdl", "XECFILE.kdl"].into_iter().find(|name| here.join(name).is_file());
    problem.help(match misnamed {
        Some(name) => format!("there is a file `{name}`: rename it, or use -f {name}"),
        None => "name a file with -f, or a directory with -C".to_owned(),
    })
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
